// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// What a person decides on a rule, in the Suricata that has it.
@Suite(.serialized) struct WithdrawalTests {
    @Test func `what a rule dropped passes once it is withdrawn, and is dropped again once it is reinstated`() async throws {
        let network = try await GuardedNetwork()
        let suricata = network.suricata
        let center = try await Center(address: GuardedNetwork.outsideAddress, within: network.outside)
        // By one host's word.
        try await center.serve(suricata.options + ["--action", "drop"], dropFrom: "reported")
        let endpoint = "\(GuardedNetwork.outsideAddress):9555"
        let receiver = try RunningProcess(network.outside.inside([Command.built("sample-service"), "--count-only", endpoint]))
        try await receiver.line(with: "listening")
        func send(_ what: String...) async throws {
            try await network.inside.run([Command.built("sample-sender")] + what + [endpoint])
        }
        func received(_ kind: String) -> Int { receiver.output.split(separator: "\n").count { $0.contains("kind=\(kind)") } }
        /// Sends the code once; what is sent behind it has to arrive.
        func expectDropped(sourceLocation: SourceLocation = #_sourceLocation) async throws {
            let (drops, code, hello) = (suricata.events("drop").count, received("code"), received("hello"))
            try await send("stub", "127.0.0.1:9555")
            let (fileID, line) = (sourceLocation.fileID, sourceLocation.line)
            try await eventually("it is dropped", fileID: fileID, line: line) { suricata.events("drop").count > drops }
            try await send("hello")
            try await eventually("a benign datagram", fileID: fileID, line: line) { received("hello") > hello }
            #expect(received("code") == code, sourceLocation: sourceLocation)
        }

        let host = try Host(within: network.inside)
        try await host.enroll(at: center)
        try await host.attack()
        try await eventually("the rule is live") { try await center.events("delivered").count == 1 }
        let signature = try #require(try await center.status().latestUpdates.first?.signatureID)
        try await expectDropped()

        let withdrawn = try await center.command("withdraw", signature, "--reason", "a service of ours sends it")
        #expect(withdrawn.status == 0 && withdrawn.output.contains("withdrawn: \(signature)"), "\(withdrawn.output)\(withdrawn.errors)")
        try await eventually("the rule has left Suricata") { try await center.events("removed").map(\.subject) == [signature] }
        #expect(try await suricata.loaded() == 0)
        let drops = suricata.events("drop").count
        // Sent again until it comes: a busy machine may lose a datagram.
        try await eventually("the code passes") {
            try await send("stub", "127.0.0.1:9555")
            return received("code") > 0
        }
        #expect(suricata.events("drop").count == drops)
        // The same attack again makes no rule.
        let other = try Host("host-2", within: network.inside)
        try await other.enroll(at: center)
        try await other.attack()
        try await eventually("it is weighed") { try await center.events("weighed").count == 2 }
        #expect(try await suricata.loaded() == 0)

        let reinstated = try await center.command("reinstate", signature)
        #expect(reinstated.status == 0 && reinstated.output.contains("its rule is in the IDS again"), "\(reinstated)")
        try await eventually("the rule is live again") { try await suricata.loaded() == 1 }
        try await expectDropped()
        try await center.stop()
    }

    @Test func `what the global center withdraws leaves the Suricata of every site, and comes back when it is reinstated`() async throws {
        let global = try await Center(.global)
        try await global.serve()
        var sites: [(center: Center, suricata: Suricata)] = []
        for name in ["site-1", "site-2"] {
            let suricata = try Suricata()
            try await suricata.start()
            let center = try await Center()
            let token = try await global.command("token", "--site", name)
            try #require(token.status == 0, "\(token.errors)")
            let linked = try await center.command(
                "link", "--center", global.url, "--token", token.output.trimmingCharacters(in: .whitespacesAndNewlines))
            try #require(linked.status == 0, "\(linked.errors)")
            try await center.serve(suricata.options)
            sites.append((center, suricata))
        }
        let trusted = try await global.command("trust", "--site", "site-1")
        try #require(trusted.status == 0, "\(trusted.errors)")

        // Reported at one site: a rule of its own there, and the global center's at the other.
        let host = try Host()
        try await host.enroll(at: sites[0].center)
        try await host.attack()
        for site in sites { try await eventually("the rule is live") { try await site.suricata.loaded() == 1 } }
        let signature = try #require(try await global.events("published").first?.subject)
        #expect(try await Set(sites[0].center.events("delivered").map(\.subject)) == [signature])

        let withdrawn = try await global.command("withdraw", signature, "--reason", "goodware")
        #expect(withdrawn.status == 0, "\(withdrawn.errors)")
        for site in sites {
            try await eventually("the rule has left Suricata") { try await site.suricata.loaded() == 0 }
            try await eventually("the center knows it") { try await site.center.events("removed").map(\.subject) == [signature] }
        }
        // Reported once more, it stays out.
        let other = try Host("host-2")
        try await other.enroll(at: sites[1].center)
        try await other.attack()
        try await eventually("it is weighed") { try await sites[1].center.events("weighed").count == 1 }
        for site in sites { #expect(try await site.suricata.loaded() == 0) }

        let reinstated = try await global.command("reinstate", signature)
        #expect(reinstated.status == 0, "\(reinstated.errors)")
        for site in sites { try await eventually("the rule is live again") { try await site.suricata.loaded() == 1 } }
        for site in sites { try await site.center.stop() }
        try await global.stop()
    }
}
