package io.github.jvhost.testkit;

import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.net.SwitchPort;

/**
 * What is the same for all connections of one mock back end.
 *
 * @param name how messages call it
 * @param offer what it offers and how it behaves
 * @param model what configuring it costs
 * @param port where its frames go to and come from
 * @param device what its device holds besides rings
 * @param record what it was told and did
 * @param ledger where its descriptors are written down
 */
record BackEndSetup(
    String name,
    BackEndOffer offer,
    HardwareModel model,
    SwitchPort port,
    BackEndDevice device,
    BackEndRecord record,
    DescriptorLedger ledger) {}
