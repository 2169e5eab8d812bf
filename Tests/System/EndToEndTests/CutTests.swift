// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import TestSupport
import Testing

/// `epitope run --extraction cut`, with what it tells.
@Suite(.serialized) struct CutTests {
    /// Places of code, and what becomes of it where nobody has rights beyond a user's: a shared mapping's file is written by a descriptor
    /// that the process has open.
    static let places: [(place: String, cut: CodeCut)] = [
        ("anonymous", .done), ("remapped", .done), ("segment", .failed(.sharedUnreachable)),
        ("shared-read-only", .failed(.sharedReadOnly)),
    ]

    @Test(.enabled(if: getuid() == 0, "root alone can become a user without rights"), arguments: places)
    func `without root code is cut, or it is told that it was not, and why`(_ test: (place: String, cut: CodeCut)) async throws {
        let folder = try TemporaryFolder()
        chmod(folder.path, 0o755)
        let state = try folder.makeFolder("state")
        chown(state, 65534, 65534)
        chmod(state, 0o700)
        let policy = "\(folder.path)/policy.json"
        try Data(#"{"blockAt": 40}"#.utf8).write(to: URL(filePath: policy))
        chmod(policy, 0o644)
        let run = try await Command.run(
            "/usr/bin/setpriv",
            [
                "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", Command.built("epitope"), "run", "--state", state,
                "--policy", policy, "--extraction", "cut", "--", Command.built("call-stub"), "direct", test.place, "send", "9",
            ])
        #expect(try folder.read("state/events.jsonl").contains(#""cut":"\#(test.cut.name)""#), "\(run.errors)")
        switch test.cut {
        case .done:
            #expect(run.status == 128 + SIGTRAP, "\(run.output)\(run.errors)")
            #expect(run.errors.contains("Its code was overwritten in the process."), "\(run.errors)")
        case .failed(let failure):
            #expect(run.status == 0, "\(run.output)\(run.errors)")
            #expect(Announcement(run.output).errno == EPERM)
            #expect(run.errors.contains("Its code could NOT be overwritten in the process: \(failure.inWords)."), "\(run.errors)")
            #expect(run.errors.contains("the code of 1 of 1 denied calls could not be overwritten"), "\(run.errors)")
        }
        let shown = try await epitope(["host", "events", "--state", state])
        #expect(shown.output.contains(test.cut == .done ? "its code was overwritten" : "its code could NOT be overwritten"))
    }
}
