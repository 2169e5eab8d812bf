// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import EpitopeModel
import Glibc
import SeccompBackend
import TestSupport

/// A command that ran to its end under the backend, and all that came of it.
struct ProtectedRun {
    var detections: [Detection]
    var notices: [SeccompBackend.Notice]
    var output: String
    var status: ExitStatus
    var statistics: SeccompBackend.Statistics

    /// Runs a program of the fixtures, by its product's name.
    static func fixture(
        _ name: String, _ arguments: [String], policy: Policy = .default, extraction: ExtractionSettings = .copy,
        excluded: Set<EvidenceKind> = []
    ) async throws -> ProtectedRun {
        try await command(Fixtures.path(name), arguments, policy: policy, extraction: extraction, excluded: excluded)
    }

    static func command(
        _ name: String, _ arguments: [String], policy: Policy = .default, extraction: ExtractionSettings = .copy,
        excluded: Set<EvidenceKind> = [], whileItRuns: (SeccompBackend) async -> Void = { _ in }
    ) async throws -> ProtectedRun {
        let output = Output()
        let backend = try SeccompBackend.launch(
            Command(name, arguments, environment: Fixtures.environment, standardOutput: output.descriptor),
            .init(policy: policy, extraction: extraction, exclusions: FixedExclusions(excluded)))
        await whileItRuns(backend)
        let status = await backend.exitStatus()
        await backend.allEnded()
        var detections: [Detection] = []
        for await detection in backend.detections { detections.append(detection) }
        var notices: [SeccompBackend.Notice] = []
        for await notice in backend.notices { notices.append(notice) }
        return ProtectedRun(
            detections: detections, notices: notices, output: output.text, status: status, statistics: backend.statistics)
    }

    /// What the stub program says should be found, and what its call returned.
    var announcement: Announcement { Announcement(output) }
}

/// Where a command's output goes: a file without a name, so that nothing has to be read while it runs.
final class Output: Sendable {
    let descriptor: Int32

    init() {
        var path = Array("/tmp/epitope-output-XXXXXX".utf8CString)
        descriptor = mkstemp(&path)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        unlink(path)
    }

    var text: String {
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }

    deinit { close(descriptor) }
}
