// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Testing

struct IPNetworkTests {
    @Test(arguments: [
        ("192.0.2.77/24", "192.0.2.0/24"), ("192.0.2.77/32", "192.0.2.77/32"), ("192.0.2.77/0", "0.0.0.0/0"),
        ("192.0.2.255/25", "192.0.2.128/25"), ("2001:db8:ffff::1/33", "2001:db8:8000::/33"), ("::1/128", "::1/128"),
    ])
    func `A network is written with the bits that its addresses have in common`(text: String, network: String) {
        #expect(IPNetwork(text)?.description == network)
    }

    @Test(arguments: [
        "192.0.2.0", "192.0.2.0/", "192.0.2.0/33", "192.0.2.0/-1", "192.0.2.0/+8", "192.0.2.0/8/8", "/8", "::/129", "192.0.2/24", "",
    ])
    func `Anything else is no network`(text: String) {
        #expect(IPNetwork(text) == nil)
    }

    @Test(arguments: [
        ("10.0.0.0/8", "10.255.0.1", true), ("10.0.0.0/8", "11.0.0.1", false), ("192.0.2.64/26", "192.0.2.127", true),
        ("192.0.2.64/26", "192.0.2.128", false), ("0.0.0.0/0", "192.0.2.1", true), ("0.0.0.0/0", "::1", false),
        ("2001:db8::/47", "2001:db8:1::5", true), ("2001:db8::/48", "2001:db8:1::5", false),
    ])
    func `A network has the addresses of its kind that begin as it does`(network: String, address: String, isInside: Bool) throws {
        #expect(try #require(IPNetwork(network)).contains(#require(IPAddress(address))) == isInside)
    }

    @Test(arguments: [
        ("192.0.2.77", "192.0.2.77/32", "192.0.2.0/24"), ("::ffff:192.0.2.77", "192.0.2.77/32", "192.0.2.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1:2::/64", "2001:db8:1::/48"), ("::1", "::/64", "::/48"),
    ])
    func `An address counts as its machine and as its site`(text: String, machine: String, site: String) throws {
        let address = try #require(IPAddress(text))
        #expect(IPNetwork.machine(of: address).description == machine && IPNetwork.site(of: address).description == site)
    }
}
