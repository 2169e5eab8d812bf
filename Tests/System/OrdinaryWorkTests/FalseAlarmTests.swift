// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// Ordinary programs do ordinary work under `epitope run`: same output, same exit status, no alarm.
@Suite(.serialized) struct FalseAlarmTests {
    /// Some of them by the exclusions that come with Epitope.
    @Test(arguments: Workload.all)
    func `ordinary work under run raises no alarm`(_ workload: Workload) async throws {
        let folder = try TemporaryFolder()
        let environment = ["EPITOPE_GO_CACHE": try folder.makeFolder("go-cache")]

        let bare = try await workload.run(in: try folder.makeFolder("bare"), environment: environment)
        if workload.isLeftOut(bare) { return }
        #expect(bare.status == 0, "bare: \(bare.errors)")
        #expect(!bare.output.isEmpty)

        let state = try folder.makeFolder("state")
        let watched = try await Command.run(
            Command.built("epitope"), ["run", "--quiet", "--state", state, "--"] + workload.command(in: try folder.makeFolder("watched")),
            environment: environment)
        #expect(watched.status == 0, "watched: \(watched.errors)")
        #expect(watched.output == bare.output)
        #expect(watched.errors == bare.errors)
        let events = FileManager.default.contents(atPath: "\(state)/events.jsonl") ?? Data()
        #expect(String(decoding: events, as: UTF8.self) == "")
    }
}
