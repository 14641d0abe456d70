// Appended by a test to a copy of the page in a frame: writes down, behind the frame, what the browser made of it.
const lines = [];
const say = (...parts) => lines.push(parts.map(p => String(p).replace(/\s/g, ' ')).join('\t'));
const root = document.documentElement;
say('width', innerWidth, root.scrollWidth);
say('page', getComputedStyle(document.body).backgroundColor);
for (const data of document.querySelectorAll('data')) {
  say('data', data.dataset.json, data.value, data.getClientRects().length > 0, data.innerText);
}
for (const row of document.querySelectorAll('tr.message, tr.step')) {
  const run = row.closest('section').querySelector('h2').id;
  say(row.classList[0], run, ...[...row.cells].map(cell => cell.textContent));
}
for (const chart of document.querySelectorAll('svg.chart')) {
  const blocks = chart.querySelectorAll('.told, .asked');
  const seen = [...blocks].filter(b => b.getBoundingClientRect().width > 1);
  say('chart', chart.closest('section').querySelector('h2').id, blocks.length, seen.length);
  // Words that lie on each other, or stick out of the picture.
  const words = [...chart.querySelectorAll('text')];
  const boxes = words.map(word => word.getBoundingClientRect());
  const frame = chart.getBoundingClientRect();
  for (let i = 0; i < words.length; i++) {
    if (boxes[i].left < frame.left - 1 || boxes[i].right > frame.right + 1) {
      say('clash', words[i].textContent, 'sticks out');
    }
    for (let j = 0; j < i; j++) {
      const apart = boxes[i].right <= boxes[j].left || boxes[j].right <= boxes[i].left
          || boxes[i].bottom <= boxes[j].top + 2 || boxes[j].bottom <= boxes[i].top + 2;
      if (!apart) {
        say('clash', words[i].textContent, words[j].textContent);
      }
    }
  }
}
// WCAG's contrast of every word with what is behind it.
const rgb = color => color.match(/[\d.]+/g).map(Number);
const light = color => {
  const [r, g, b] = rgb(color).slice(0, 3).map(c => c / 255)
      .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = element => {
  const color = element ? getComputedStyle(element).backgroundColor : 'rgb(255, 255, 255)';
  return rgb(color)[3] === 0 ? behind(element.parentElement) : color;
};
document.querySelectorAll('details').forEach(details => details.open = true);
for (const element of document.querySelectorAll('body *')) {
  const own = [...element.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
  if (!own || element.getClientRects().length === 0 || element.closest('script')) {
    continue;
  }
  const style = getComputedStyle(element);
  const [a, b] = [light(element.closest('svg') ? style.fill : style.color), light(behind(element))];
  const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  say('contrast', contrast.toFixed(2), element.textContent.slice(0, 40));
}
// What lies about in the page with the tables unfolded is as wide as the window too.
say('unfolded', innerWidth, root.scrollWidth);
for (const picture of document.querySelectorAll('svg:not([aria-hidden])')) {
  say('alternative', picture.getAttribute('role'), picture.getAttribute('aria-label'));
}
const out = document.createElement('pre');
out.id = 'probe';
out.textContent = lines.join('\n');
parent.document.body.append(out);
