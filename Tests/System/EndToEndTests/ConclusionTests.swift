// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// What a site concludes from the weak evidence of several hosts protects the others, too.
@Suite(.serialized) struct ConclusionTests {
    /// A namespace for the centers, and hosts each at an address of its own, so that the site tells them apart.
    private struct Network {
        static let centers = "10.78.0.1"

        let centers: Namespace
        let hosts: [Namespace]

        init(hosts count: Int) async throws {
            let centers = try await Namespace(["--net"], setup: "/usr/sbin/ip link set lo up")
            try await centers.run(["/usr/sbin/ip", "address", "add", "\(Self.centers)/32", "dev", "lo"])
            var hosts: [Namespace] = []
            for number in 1...count {
                let host = try await Namespace(["--net"], setup: "/usr/sbin/ip link set lo up")
                let made = try await Command.run(
                    "/usr/sbin/ip",
                    [
                        "link", "add", "center0", "netns", "\(host.identifier)", "type", "veth", "peer", "name", "host\(number)", "netns",
                        "\(centers.identifier)",
                    ])
                try #require(made.status == 0, "\(made.errors)")
                for (end, device, last) in [(centers, "host\(number)", 1), (host, "center0", 2)] {
                    try await end.run(["/usr/sbin/ip", "address", "add", "10.78.\(number).\(last)/24", "dev", device])
                    try await end.run(["/usr/sbin/ip", "link", "set", device, "up"])
                }
                try await host.run(["/usr/sbin/ip", "route", "add", "default", "via", "10.78.\(number).1"])
                hosts.append(host)
            }
            (self.centers, self.hosts) = (centers, hosts)
        }
    }

    private func link(_ center: Center, as name: String, to global: Center) async throws {
        let token = try await global.command("token", "--site", name)
        try #require(token.status == 0, "\(token.errors)")
        let linked = try await center.command(
            "link", "--center", global.url, "--token", token.output.trimmingCharacters(in: .whitespacesAndNewlines))
        try #require(linked.status == 0, "\(linked.errors)")
    }

    @Test func `three hosts with a memory file each at one site become a rule at another`() async throws {
        let network = try await Network(hosts: 3)
        let global = try await Center(.global, within: network.centers)
        try await global.serve()
        var sites: [(center: Center, suricata: Suricata)] = []
        for name in ["site-1", "site-2"] {
            let suricata = try Suricata(within: network.centers)
            try await suricata.start()
            let center = try await Center(address: Network.centers, within: network.centers)
            try await link(center, as: name, to: global)
            try await center.serve(suricata.options)
            sites.append((center, suricata))
        }
        let (site, other) = (sites[0].center, sites[1])
        let trusted = try await global.command("trust", "--site", "site-1")
        try #require(trusted.status == 0, "\(trusted.errors)")

        for (number, namespace) in network.hosts.enumerated() {
            let host = try Host("host-\(number + 1)", within: namespace)
            try await host.enroll(at: site)
            // Each is below the threshold: blocked nowhere, reported by each.
            let run = try await host.run("call-stub", ["direct", "memory-file", "send", "9555"])
            #expect(host.events("sent").count == 1, "\(run.output)\(run.errors)")
            try await eventually("it is weighed") { try await site.events("weighed").count == number + 1 }
            let points = 40 * (number + 1)
            #expect(try await site.events("weighed").last?.detail.hasPrefix("\(points) of 100 points") == true)
            #expect(try await global.events("stored").isEmpty == (number < 2), "nothing is forwarded below the threshold")
        }

        try await eventually("the site's rule is live") { try await sites[0].suricata.loaded() == 1 }
        // One packet came, of 40 points by itself; with it what the site concluded.
        try await eventually("it is weighed at the global center") { try await global.events("weighed").count == 1 }
        let weighed = try await global.events("weighed").map(\.detail)
        #expect(weighed == ["100 of 100 points, threshold reached; the site concluded: 120 points of 3 hosts, corroborated"])
        try await eventually("the other site's rule is live") { try await other.suricata.loaded() == 1 }
        let signature = try #require(try await global.events("published").first?.subject)
        #expect(try await other.center.events("delivered").map(\.subject) == [signature])
        for site in sites { try await site.center.stop() }
        try await global.stop()
    }
}
