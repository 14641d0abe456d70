// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/*
 * A simulated vDPA network device for tests: two queue pairs and a control queue that takes every command of
 * virtio 1.2, 5.1.6.5, for which the device offers a feature. It stands on the core of the kernel's vdpa_sim.
 *
 *   vdpa dev add name ctl0 mgmtdev vdpa_ctrl_net [mac ..] [mtu ..]
 *
 * A frame that is sent comes back on the RX ring of the same pair, if the filters let it through.
 * /proc/vdpa_ctrl_net/ctl0 has the present state, and every command since the device was added, in order.
 */
#include <linux/bitmap.h>
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/unaligned.h>
#include <linux/vmalloc.h>
#include <uapi/linux/vdpa.h>
#include <uapi/linux/virtio_ids.h>
#include <uapi/linux/virtio_net.h>

#include "vdpa_sim.h"

#define PAIRS 2
#define LOG_SIZE (512 << 10)
#define FRAMES_A_RUN 64 /* then others may have the device's lock */

#define OFFLOADS (BIT_ULL(VIRTIO_NET_F_GUEST_CSUM) | BIT_ULL(VIRTIO_NET_F_GUEST_TSO4) | \
		  BIT_ULL(VIRTIO_NET_F_GUEST_TSO6))
#define FEATURES (VDPASIM_FEATURES | OFFLOADS | BIT_ULL(VIRTIO_NET_F_MAC) | BIT_ULL(VIRTIO_NET_F_STATUS) | \
		  BIT_ULL(VIRTIO_NET_F_MTU) | BIT_ULL(VIRTIO_NET_F_MQ) | BIT_ULL(VIRTIO_NET_F_CTRL_VQ) | \
		  BIT_ULL(VIRTIO_NET_F_CTRL_RX) | BIT_ULL(VIRTIO_NET_F_CTRL_RX_EXTRA) | \
		  BIT_ULL(VIRTIO_NET_F_CTRL_VLAN) | BIT_ULL(VIRTIO_NET_F_CTRL_MAC_ADDR) | \
		  BIT_ULL(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS))

static ulong without;
module_param(without, ulong, 0644);
MODULE_PARM_DESC(without, "Features (as bits) that devices added from now on do not offer");

static bool promisc;
module_param(promisc, bool, 0644);
MODULE_PARM_DESC(promisc, "After a reset the device is promiscuous");

static int refuse = -1;
module_param(refuse, int, 0644);
MODULE_PARM_DESC(refuse, "Class of which every command is answered with an error (-1: none)");

static const char *const mode_names[] = { "promisc", "allmulti", "alluni", "nomulti", "nouni", "nobcast" };

/* What the driver has told since the last reset. The MAC address is in the config space, and outlives it. */
struct told {
	bool modes[ARRAY_SIZE(mode_names)];
	u16 pairs;
	bool has_offloads; /* otherwise they are what was negotiated */
	u64 offloads;
	u32 unicast, multicast; /* how many of each are in macs, in this order */
	u8 macs[PAGE_SIZE];
	DECLARE_BITMAP(vlans, VLAN_N_VID);
};

/* The device's lock (sim.mutex) guards all of it. */
struct ctrl_net {
	struct vdpasim sim; /* first: vdpa_sim allocates the whole */
	struct told told;
	u32 generation; /* vdpa_sim counts resets; at this one told was cleared */
	u64 passed[PAIRS], dropped[PAIRS];
	u8 buffer[PAGE_SIZE]; /* one frame or command */
	char *log;
	size_t logged;
};

static struct proc_dir_entry *folder;

static struct ctrl_net *net_of(struct vdpasim *sim)
{
	return container_of(sim, struct ctrl_net, sim);
}

static bool has(struct ctrl_net *net, int feature)
{
	return net->sim.features & BIT_ULL(feature);
}

/* vdpa-sim.sh has vdpa_sim put the same ring into a group of its own. */
static int control_ring(struct ctrl_net *net)
{
	return has(net, VIRTIO_NET_F_MQ) ? 2 * PAIRS : 2;
}

static __printf(2, 3) void note(struct ctrl_net *net, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	net->logged += vscnprintf(net->log + net->logged, LOG_SIZE - net->logged, format, args);
	va_end(args);
}

static void forget(struct ctrl_net *net)
{
	net->generation = net->sim.generation;
	memset(&net->told, 0, sizeof(net->told));
	net->told.pairs = 1;
	net->told.modes[VIRTIO_NET_CTRL_RX_PROMISC] = promisc;
}

/* vdpa_sim does not say when it is reset, so this is called before anything else looks at the state. */
static void forget_if_reset(struct ctrl_net *net)
{
	if (net->generation != net->sim.generation) {
		forget(net);
		note(net, "reset\n");
	}
}

static void give_back(struct vdpasim_virtqueue *ring, size_t written)
{
	vringh_complete_iotlb(&ring->vring, ring->head, written);
	local_bh_disable();
	if (vringh_need_notify_iotlb(&ring->vring) > 0)
		vringh_notify(&ring->vring);
	local_bh_enable();
}

/* Commands */

static bool take_table(struct told *told, const u8 *data, size_t length)
{
	u64 unicast, multicast;

	if (length < 8)
		return false;
	unicast = get_unaligned_le32(data);
	if (8 + unicast * ETH_ALEN > length)
		return false;
	multicast = get_unaligned_le32(data + 4 + unicast * ETH_ALEN);
	if (8 + (unicast + multicast) * ETH_ALEN != length)
		return false;
	memcpy(told->macs, data + 4, unicast * ETH_ALEN);
	memcpy(told->macs + unicast * ETH_ALEN, data + 8 + unicast * ETH_ALEN, multicast * ETH_ALEN);
	told->unicast = unicast;
	told->multicast = multicast;
	return true;
}

/* Returns whether the command was carried out: all that is not as virtio says is refused. */
static bool take(struct ctrl_net *net, u8 class, u8 command, const u8 *data, size_t length)
{
	struct virtio_net_config *config = net->sim.config;
	u16 number = length == 2 ? get_unaligned_le16(data) : 0;
	bool extra = command > VIRTIO_NET_CTRL_RX_ALLMULTI;

	if (class == refuse)
		return false;
	switch (class) {
	case VIRTIO_NET_CTRL_RX:
		if (!has(net, extra ? VIRTIO_NET_F_CTRL_RX_EXTRA : VIRTIO_NET_F_CTRL_RX) ||
		    command >= ARRAY_SIZE(mode_names) || length != 1 || data[0] > 1)
			return false;
		net->told.modes[command] = data[0];
		return true;
	case VIRTIO_NET_CTRL_MAC:
		if (command == VIRTIO_NET_CTRL_MAC_TABLE_SET)
			return has(net, VIRTIO_NET_F_CTRL_RX) && take_table(&net->told, data, length);
		if (!has(net, VIRTIO_NET_F_CTRL_MAC_ADDR) || command != VIRTIO_NET_CTRL_MAC_ADDR_SET ||
		    length != ETH_ALEN || !is_valid_ether_addr(data))
			return false;
		memcpy(config->mac, data, ETH_ALEN);
		return true;
	case VIRTIO_NET_CTRL_VLAN:
		if (!has(net, VIRTIO_NET_F_CTRL_VLAN) || command > VIRTIO_NET_CTRL_VLAN_DEL || length != 2 ||
		    number >= VLAN_N_VID)
			return false;
		assign_bit(number, net->told.vlans, command == VIRTIO_NET_CTRL_VLAN_ADD);
		return true;
	case VIRTIO_NET_CTRL_MQ:
		if (!has(net, VIRTIO_NET_F_MQ) || command != VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET ||
		    number < 1 || number > PAIRS)
			return false;
		net->told.pairs = number;
		return true;
	case VIRTIO_NET_CTRL_GUEST_OFFLOADS:
		if (!has(net, VIRTIO_NET_F_CTRL_GUEST_OFFLOADS) || command != VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET ||
		    length != 8 || (get_unaligned_le64(data) & ~(net->sim.features & OFFLOADS)))
			return false;
		net->told.has_offloads = true;
		net->told.offloads = get_unaligned_le64(data);
		return true;
	default:
		return false;
	}
}

static void commands(struct ctrl_net *net)
{
	struct vdpasim_virtqueue *ring = &net->sim.vqs[control_ring(net)];
	ssize_t length;
	size_t at;
	u8 *c = net->buffer, ack;
	u32 enabled;
	int i;

	if (!has(net, VIRTIO_NET_F_CTRL_VQ) || !ring->ready)
		return;
	while (vringh_getdesc_iotlb(&ring->vring, &ring->in_iov, &ring->out_iov, &ring->head, GFP_KERNEL) > 0) {
		length = vringh_iov_pull_iotlb(&ring->vring, &ring->in_iov, c, PAGE_SIZE);
		ack = VIRTIO_NET_ERR;
		if (length < 2) {
			note(net, "no command\n");
		} else {
			for (enabled = 0, i = 0; i < net->sim.dev_attr.nvqs; i++)
				enabled |= net->sim.vqs[i].ready << i;
			/* What is longer than the buffer is refused. */
			if (vringh_kiov_length(&ring->in_iov) == 0 && take(net, c[0], c[1], c + 2, length - 2))
				ack = VIRTIO_NET_OK;
			note(net, "class %u command %u data ", c[0], c[1]);
			for (at = 2; at < length; at++)
				note(net, "%02x", c[at]);
			note(net, " -> %u enabled %#x\n", ack, enabled);
		}
		length = vringh_iov_push_iotlb(&ring->vring, &ring->out_iov, &ack, 1);
		give_back(ring, length > 0 ? length : 0);
	}
}

/* Frames */

static bool in_table(const u8 *macs, u32 count, const u8 *mac)
{
	for (; count; count--, macs += ETH_ALEN)
		if (!memcmp(macs, mac, ETH_ALEN))
			return true;
	return false;
}

static bool may_pass(struct ctrl_net *net, const u8 *frame, ssize_t length)
{
	struct virtio_net_config *config = net->sim.config;
	const struct told *told = &net->told;
	const bool *on = told->modes;

	if (length < ETH_HLEN)
		return false;
	if (on[VIRTIO_NET_CTRL_RX_PROMISC])
		return true;
	if (has(net, VIRTIO_NET_F_CTRL_VLAN) && length >= VLAN_ETH_HLEN &&
	    get_unaligned_be16(frame + 12) == ETH_P_8021Q &&
	    !test_bit(get_unaligned_be16(frame + 14) & VLAN_VID_MASK, told->vlans))
		return false;
	if (is_broadcast_ether_addr(frame))
		return !on[VIRTIO_NET_CTRL_RX_NOBCAST];
	if (is_multicast_ether_addr(frame)) /* a driver without CTRL_RX cannot tell its groups, and has all */
		return !on[VIRTIO_NET_CTRL_RX_NOMULTI] &&
		       (on[VIRTIO_NET_CTRL_RX_ALLMULTI] || !has(net, VIRTIO_NET_F_CTRL_RX) ||
			in_table(told->macs + told->unicast * ETH_ALEN, told->multicast, frame));
	return !on[VIRTIO_NET_CTRL_RX_NOUNI] &&
	       (on[VIRTIO_NET_CTRL_RX_ALLUNI] || !memcmp(config->mac, frame, ETH_ALEN) ||
		in_table(told->macs, told->unicast, frame));
}

/* What finds no buffer, or too small a one, is lost. */
static bool receive(struct vdpasim_virtqueue *rx, u8 *frame, size_t length)
{
	if (vringh_getdesc_iotlb(&rx->vring, NULL, &rx->in_iov, &rx->head, GFP_KERNEL) <= 0)
		return false;
	if (vringh_iov_push_iotlb(&rx->vring, &rx->in_iov, frame, length) != length) {
		vringh_abandon_iotlb(&rx->vring, 1);
		return false;
	}
	give_back(rx, length);
	return true;
}

/* Returns whether there may be more. */
static bool frames(struct ctrl_net *net, int pair)
{
	struct vdpasim_virtqueue *rx = &net->sim.vqs[2 * pair], *tx = rx + 1;
	bool modern = has(net, VIRTIO_F_VERSION_1);
	size_t header = modern ? sizeof(struct virtio_net_hdr_v1) : sizeof(struct virtio_net_hdr);
	ssize_t length;
	int n;

	if (!rx->ready || !tx->ready)
		return false;
	for (n = 0; n < FRAMES_A_RUN; n++) {
		if (vringh_getdesc_iotlb(&tx->vring, &tx->out_iov, NULL, &tx->head, GFP_KERNEL) <= 0)
			return false;
		length = vringh_iov_pull_iotlb(&tx->vring, &tx->out_iov, net->buffer, PAGE_SIZE);
		if (modern && length > (ssize_t)header) /* num_buffers */
			put_unaligned_le16(1, net->buffer + 10);
		if (vringh_kiov_length(&tx->out_iov) == 0 &&
		    may_pass(net, net->buffer + header, length - (ssize_t)header) &&
		    receive(rx, net->buffer, length))
			net->passed[pair]++;
		else
			net->dropped[pair]++;
		give_back(tx, 0);
	}
	return true;
}

static void work(struct vdpasim *sim)
{
	struct ctrl_net *net = net_of(sim);
	bool more = false;
	int pair;

	mutex_lock(&sim->mutex);
	forget_if_reset(net);
	if (sim->status & VIRTIO_CONFIG_S_DRIVER_OK) {
		if (sim->running) {
			commands(net);
			for (pair = 0; pair < net->told.pairs; pair++)
				more |= frames(net, pair);
			if (more)
				vdpasim_schedule_work(sim);
		} else {
			sim->pending_kick = true; /* vdpa_sim calls again at RESUME */
		}
	}
	mutex_unlock(&sim->mutex);
}

/* What user space sees */

static int show(struct seq_file *file, void *unused)
{
	struct ctrl_net *net = file->private;
	struct virtio_net_config *config = net->sim.config;
	struct told *told = &net->told;
	u32 i;

	mutex_lock(&net->sim.mutex);
	forget_if_reset(net);
	seq_printf(file, "features %#llx\ncontrol ring %d\nmac %pM\npairs %u\nmodes", net->sim.features,
		   control_ring(net), config->mac, told->pairs);
	for (i = 0; i < ARRAY_SIZE(mode_names); i++)
		if (told->modes[i])
			seq_printf(file, " %s", mode_names[i]);
	seq_puts(file, "\nunicast");
	for (i = 0; i < told->unicast + told->multicast; i++)
		seq_printf(file, "%s %pM", i == told->unicast ? "\nmulticast" : "", told->macs + i * ETH_ALEN);
	seq_printf(file, "%s\nvlans %*pbl\noffloads %#llx\n", told->multicast ? "" : "\nmulticast",
		   VLAN_N_VID, told->vlans,
		   told->has_offloads ? told->offloads : net->sim.features & OFFLOADS);
	for (i = 0; i < PAIRS; i++)
		seq_printf(file, "pair %u passed %llu dropped %llu\n", i, net->passed[i], net->dropped[i]);
	seq_printf(file, "commands\n%s", net->log);
	mutex_unlock(&net->sim.mutex);
	return 0;
}

static void get_config(struct vdpasim *sim, void *config)
{
	((struct virtio_net_config *)config)->status = cpu_to_vdpasim16(sim, VIRTIO_NET_S_LINK_UP);
}

static void free_log(struct vdpasim *sim)
{
	vfree(net_of(sim)->log);
}

static int dev_add(struct vdpa_mgmt_dev *mgmt, const char *name, const struct vdpa_dev_set_config *asked)
{
	struct vdpasim_dev_attr attr = {
		.mgmt_dev = mgmt, .name = name, .id = VIRTIO_ID_NET, .supported_features = FEATURES & ~without,
		.nvqs = without & BIT_ULL(VIRTIO_NET_F_MQ) ? 3 : 2 * PAIRS + 1, .ngroups = 2, .nas = 2,
		.alloc_size = sizeof(struct ctrl_net), .config_size = sizeof(struct virtio_net_config),
		.work_fn = work, .get_config = get_config, .free = free_log,
	};
	struct vdpasim *sim = vdpasim_create(&attr, asked);
	struct virtio_net_config *config;
	struct ctrl_net *net;
	int error = -ENOMEM;

	if (IS_ERR(sim))
		return PTR_ERR(sim);
	net = net_of(sim);
	config = sim->config;
	if (asked->mask & BIT_ULL(VDPA_ATTR_DEV_NET_CFG_MACADDR))
		memcpy(config->mac, asked->net.mac, ETH_ALEN);
	config->mtu = cpu_to_vdpasim16(
		sim, asked->mask & BIT_ULL(VDPA_ATTR_DEV_NET_CFG_MTU) ? asked->net.mtu : 1500);
	config->max_virtqueue_pairs = cpu_to_vdpasim16(sim, PAIRS);
	net->log = vzalloc(LOG_SIZE);
	if (net->log) {
		forget(net);
		error = _vdpa_register_device(&sim->vdpa, attr.nvqs);
	}
	if (error)
		put_device(&sim->vdpa.dev);
	else
		proc_create_single_data(name, 0444, folder, show, net);
	return error;
}

static void dev_del(struct vdpa_mgmt_dev *mgmt, struct vdpa_device *vdpa)
{
	remove_proc_entry(dev_name(&vdpa->dev), folder);
	_vdpa_unregister_device(vdpa);
}

static const struct vdpa_mgmtdev_ops mgmt_ops = { .dev_add = dev_add, .dev_del = dev_del };

static struct virtio_device_id ids[] = { { VIRTIO_ID_NET, VIRTIO_DEV_ANY_ID }, { 0 } };

static void released(struct device *device)
{
}

static struct device mgmt_device = { .init_name = "vdpa_ctrl_net", .release = released };

static struct vdpa_mgmt_dev mgmt = {
	.device = &mgmt_device,
	.id_table = ids,
	.ops = &mgmt_ops,
	.config_attr_mask = BIT_ULL(VDPA_ATTR_DEV_NET_CFG_MACADDR) | BIT_ULL(VDPA_ATTR_DEV_NET_CFG_MTU),
	.max_supported_vqs = 2 * PAIRS + 1,
	.supported_features = FEATURES,
};

/* There is no exit: the guest that has this module ends with its test. */
static int __init start(void)
{
	int error;

	folder = proc_mkdir("vdpa_ctrl_net", NULL);
	error = device_register(&mgmt_device);
	return error ? error : vdpa_mgmtdev_register(&mgmt);
}
module_init(start);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("vDPA network device for tests, with all control commands");
