// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import HostFrontEnd
import TestSupport
import Testing

@Suite("Tables fit a terminal")
struct TableTests {
    private let events = [
        ["time", "step", "subject", "detail"],
        ["2026-12-01T07:34:22.123Z", "clustered", String(repeating: "a", count: 32), "the packet is in cluster 1"],
        [
            "2026-12-01T07:34:22.456Z", "quota-exceeded", String(repeating: "b", count: 32),
            "the day's quota is used up: what waits goes out by itself at 2026-12-02T07:34:22Z, and what weighs more goes first",
        ],
    ]

    @Test(arguments: [40, 80, 100, 120]) func `no line is longer than the terminal, and nothing is left out`(_ width: Int) {
        let text = Console.table(events, width: width)
        #expect(text.split(separator: "\n").allSatisfy { $0.count <= width }, "\(text)")
        let words = Set(text.split { " \n:".contains($0) })
        for cell in events.dropFirst().flatMap(\.self) {
            for word in cell.split(whereSeparator: { " :".contains($0) }) { #expect(words.contains(word), "\(word)") }
        }
    }

    @Test func `without a terminal each row is a line`() {
        let text = Console.table(events, width: nil)
        #expect(text.split(separator: "\n").count == 3)
        #expect(Console.table(events, width: 500) == text, "nor where there is room")
    }

    @Test func `at 80 columns what has no room stands below, and a last column with room is wrapped in place`() {
        #expect(
            Console.table(events, width: 80) == """
                time                      step            subject
                    detail
                2026-12-01T07:34:22.123Z  clustered       aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
                    the packet is in cluster 1
                2026-12-01T07:34:22.456Z  quota-exceeded  bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
                    the day's quota is used up: what waits goes out by itself at
                    2026-12-02T07:34:22Z, and what weighs more goes first
                """)
        #expect(
            Console.table([["reports", "none"], ["global center", "not linked, and nothing waits to be sent"]], width: 50) == """
                reports        none
                global center  not linked, and nothing waits to be
                               sent
                """)
    }

    @Test func `a command asks for the width`() async throws {
        let folder = try TemporaryFolder()
        let made = try await Command.run(
            Command.built("epitope"), ["local-center", "init", "--state", "\(folder.path)/s", "--name", "x", "--address", "127.0.0.1"])
        try #require(made.status == 0, "\(made.errors)")
        let check = [try Command.built("epitope"), "local-center", "check", "--state", "\(folder.path)/s", "--listen", "127.0.0.1:0"]
        let narrow = try await Command.run("/usr/bin/env", ["COLUMNS=60"] + check)
        let wide = try await Command.run("/usr/bin/env", ["COLUMNS=900"] + check)
        let settings = { (text: String) in
            text.split(separator: "\n").filter { $0.hasPrefix("authority's") || $0.hasPrefix("  ") }.map(\.count).max()
        }
        #expect(try #require(settings(wide.output)) > 0)
        #expect(narrow.output.split(separator: "\n").count > wide.output.split(separator: "\n").count)
    }
}
