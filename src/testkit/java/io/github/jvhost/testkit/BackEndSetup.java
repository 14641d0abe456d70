package io.github.jvhost.testkit;

import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.net.SwitchPort;

/**
 * What all connections of one mock back end share.
 *
 * @param name its name in messages
 * @param offer what it offers and how it behaves
 * @param model the prices of configuring it
 * @param port sends and receives its frames
 * @param device its device's contents besides the rings
 * @param record what it received and did
 * @param ledger lists its descriptors
 */
record BackEndSetup(
    String name,
    BackEndOffer offer,
    HardwareModel model,
    SwitchPort port,
    BackEndDevice device,
    BackEndRecord record,
    DescriptorLedger ledger) {}
