// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// The setting `relays`: the relays of which a center takes the address of each host.
public enum RelayNetworks {
    /// How many may be named.
    public static let max = 64

    /// Reads addresses and networks, such as `192.0.2.9` and `2001:db8:1::/64`.
    ///
    /// - Throws: `relay-malformed`.
    public static func parse(_ texts: [String]) throws(EpitopeError) -> [IPNetwork] {
        guard texts.count <= max else {
            throw invalid("\(texts.count) relays are named, \(max) are allowed")
        }
        var networks: [IPNetwork] = []
        for text in texts {
            let one = IPAddress(text).flatMap { IPNetwork(of: $0.unmapped, length: $0.unmapped.bytes.count * 8) }
            guard let network = one ?? IPNetwork(text) else { throw invalid("'\(text)' is not an address or a network") }
            // Every host could say that it is another.
            guard network.length > 0 else { throw invalid("'\(text)' is every address: name the relays") }
            networks.append(network)
        }
        return networks
    }

    private static func invalid(_ reason: String) -> EpitopeError {
        EpitopeError(.relayMalformed, reason, remedy: "give each relay's own address, such as 192.0.2.9, or a network, such as 10.9.0.0/28")
    }
}
