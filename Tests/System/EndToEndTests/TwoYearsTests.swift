// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// Hosts and centers go through two years by their clocks.
@Suite(.serialized, .enabled(if: ShiftedClock.library != nil, "needs libfaketime: Scripts/install-dependencies test")) struct TwoYearsTests
{
    @Test func `a host runs on while its clock, and its center's, jump by weeks`() async throws {
        let (stepDays, steps) = (25, 30)
        let clock = try ShiftedClock()
        let center = try await Center(by: clock)
        try await center.serve()
        let host = try Host(by: clock)
        try await host.enroll(at: center)
        let service = try AttackedService(of: host, by: clock, attacks: steps)
        for step in 1...steps {
            // A center looks at its own certificate when it starts, and then by the hour.
            try await center.stop()
            try clock.move(toDay: Double(step * stepDays))
            try await center.serve()
            try service.attack(step)
            try await eventually("the packet of day \(step * stepDays)", seconds: 60) { host.events("sent").count >= step }
        }
        try await eventually("the service's end", seconds: 60) { service.process.hasEnded }
        #expect(host.events("sent").count == steps)
        #expect(host.events("renewed").count >= 8)
        #expect(host.events("stopped").isEmpty && host.events("renewal-failed").isEmpty)
        try await center.stop()
    }

    /// Steps below the week from which on a center that starts doubts the clock: it prunes and lets expire as it goes.
    @Test func `a center, its link and hosts go on over new certificates, new authorities and restores`() async throws {
        let (stepDays, steps) = (6.9, 106)
        let (rotations, restores) = ([Center.Kind.local: 20, .global: 45], [Center.Kind.local: 75, .global: 90])
        let clock = try ShiftedClock()
        let folder = try TemporaryFolder()
        var global = try await Center(.global, by: clock)
        try await global.serve()
        var site = try await Center(by: clock)
        let token = try await global.command("token", "--site", "site-1")
        let linked = try await site.command(
            "link", "--center", global.url, "--token", token.output.trimmingCharacters(in: .whitespacesAndNewlines))
        try #require(linked.status == 0, "\(linked.errors)")
        try await site.serve()
        let (host, elsewhere) = (try Host("host-1", by: clock), try Host("elsewhere", by: clock))
        try await host.enroll(at: site)
        try await elsewhere.enroll(at: global)
        #expect(try await global.command("trust", "--host", elsewhere.name).status == 0)
        let service = try AttackedService(of: host, by: clock, attacks: steps)
        var (retired, published) = ([Center.Kind: Int](), Set<String>())

        for step in 1...steps {
            let day = "day \(Int(Double(step) * stepDays))"
            for center in [site, global] {
                guard restores[center.kind] == step else {
                    try await center.stop()
                    continue
                }
                let backup = "\(folder.path)/\(center.kind.rawValue).backup"
                let made = try await center.command("backup", "--with-key", "--output", backup)
                try #require(made.status == 0, "\(made.errors)")
                try await center.stop(SIGKILL)
                let restored = try await Center(restoring: backup, of: center)
                if center.kind == .local { site = restored } else { global = restored }
            }
            try clock.move(toDay: Double(step) * stepDays)
            try await global.serve()
            try await site.serve()

            try service.attack(step)
            try await eventually("the packet of \(day)", seconds: 60) { host.events("sent").count == step }
            let packet = try #require(host.events("sent").last?.packet)
            #expect(try await site.command("show", packet).status == 0, "the packet of \(day) is at its center")
            if step % 8 == 0 {
                try await elsewhere.attacks(1, options: ["--send-to", "global", "--packets-per-day", "1000"])
                let sent = elsewhere.events("sent").count
                #expect(sent == step / 8, "what was sent to the global center by \(day)")
                let (center, link) = (global, site)
                try await eventually("an update of \(day)", seconds: 30) {
                    try await center.events("published").contains { !published.contains($0.subject) }
                }
                published.formUnion(try await center.events("published").map(\.subject))
                // What came in long ago is pruned from the site's events.
                try await eventually("the site has the update of \(day)", seconds: 60) {
                    let received = try await Set(link.events("received").map(\.subject))
                    return try await Set(center.events("published").suffix(1).map(\.subject)).isSubset(of: received)
                }
                #expect(published.count == step / 8)
            }
            for center in [site, global] {
                guard let begun = rotations[center.kind], begun <= step, retired[center.kind] == nil else { continue }
                if begun == step {
                    let made = try await center.command("rotate-authority")
                    #expect(made.status == 0, "\(made.errors)")
                } else if try await center.command("rotate-authority", "--retire").status == 0 {
                    retired[center.kind] = step
                }
            }
        }
        try await eventually("the service's end", seconds: 60) { service.process.hasEnded }

        for (sender, count) in [(host, steps), (elsewhere, steps / 8)] {
            #expect(sender.events("sent").count == count)
            let failures = sender.events("stopped") + sender.events("renewal-failed")
            #expect(failures.isEmpty, "\(sender.name): \(failures.compactMap(\.message))")
            // One of them is there every 55 days alone, and renews a certificate that has ended every other time.
            #expect(sender.events("renewed").count >= 6, "\(sender.name)")
        }
        // Nobody is forced: the old authority ends once the last one has been there twice, to hear of the next one and to renew.
        for (kind, begun) in rotations {
            let ended = try #require(retired[kind], "\(kind.rawValue)")
            #expect(Double(ended - begun) * stepDays <= 180, "\(kind.rawValue): begun at step \(begun), retired at step \(ended)")
        }
        #expect(host.events("authority-changed").count == 2 && elsewhere.events("authority-changed").count == 2)
        for center in [site, global] {
            #expect(try await center.events("pruned").count > 3, "\(center.kind.rawValue)")
            // Of 119 and of 13 updates: each is in force for ninety days, and removed a month after that.
            let status = try await center.status()
            let states = status.latestUpdates.map(\.state)
            #expect((1...18).contains(states.count { $0 == "proven" }) && states.count <= 24, "\(states)")
            // Of 106 and of 13: what came in during thirty days, and what an update still rests on.
            #expect(status.reports.values.reduce(0, +) < 25, "\(status.reports)")
        }
        #expect(try await global.events("renewed").contains { $0.subject.contains("site-1") })
        try await site.stop()
        try await global.stop()
    }
}
