// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import HostFrontEnd
import Logging
import Testing

@Suite("A line of the log as JSON")
struct JSONLogTests {
    private func line(_ text: String, code: String? = nil, metadata: [String: String] = [:]) -> String {
        JSONLogLine(milliseconds: 1_700_000_000_250, level: .notice, label: "local-center", text: text, code: code, metadata: metadata).text
    }

    private func object(_ line: String) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    }

    @Test func `it says when, how grave, where, and what`() {
        #expect(
            line("stopped", metadata: ["b": "2", "a": "1"])
                == #"{"time":"2023-11-14T22:13:20.250Z","level":"notice","label":"local-center","message":"stopped","metadata":{"a":"1","b":"2"}}"#
        )
    }

    @Test func `an error is taken apart into what happened, its code, and what to do`() throws {
        let error = EpitopeError(.diskFull, "the store [of today] is full", remedy: "free \"room\"")
        let told = try object(line("a step of ids failed and will be tried again: \(error)"))
        #expect(told["message"] as? String == "a step of ids failed and will be tried again: the store [of today] is full")
        #expect(told["code"] as? String == "disk-full")
        #expect(told["remedy"] as? String == "free \"room\"")
    }

    @Test func `a code that stands in the metadata counts`() throws {
        #expect(try object(line("Refused a request", code: "revoked"))["code"] as? String == "revoked")
        #expect(try object(line("what looks like one [here] is none"))["code"] == nil)
    }

    @Test func `nothing acts on a terminal, nor ends the line`() throws {
        let hostile = "a\u{1B}[31m\u{9B}2J\u{202E}\r\n\t\u{0}\\ \"b\" \u{85}\u{2028}"
        let line = line(hostile, metadata: [hostile: hostile])
        #expect(line.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) && $0 != "\u{202E}" }, "\(line)")
        #expect(try object(line)["message"] as? String == hostile)
        #expect((try object(line)["metadata"] as? [String: String])?[hostile] == hostile)
    }
}
