// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// The programs as they are built, stripped, and versions made of them that differ by what they say of themselves.
final class HandedOutVersions {
    /// Stripped once: that takes seconds.
    private static let stripped = Task {
        let folder = try TemporaryFolder()
        for name in ["epitope", "epitope-agent"] {
            let strip = try await Command.run("/usr/bin/strip", ["-o", "\(folder.path)/\(name)", Command.built(name)])
            try #require(strip.status == 0, "\(strip.errors)")
        }
        return folder
    }

    let folder: TemporaryFolder
    /// The first version's folder.
    private let origin: String

    init() async throws {
        folder = try TemporaryFolder()
        origin = try await Self.stripped.value.path
    }

    /// The path of a version's agent, with the command line beside it.
    ///
    /// - Parameter agent: what is the agent instead.
    func make(_ version: String, agent: Data? = nil) throws -> String {
        let place = try folder.makeFolder(version)
        let (old, new) = (Data("epitope-version=0.1.0;".utf8), Data("epitope-version=\(version);".utf8))
        try #require(old.count == new.count)
        for name in ["epitope", "epitope-agent"] {
            var program = try Data(contentsOf: URL(filePath: "\(origin)/\(name)"))
            if name == "epitope-agent", let agent { program = agent + new }
            while let range = program.range(of: old) { program.replaceSubrange(range, with: new) }
            try program.write(to: URL(filePath: "\(place)/\(name)"))
            chmod("\(place)/\(name)", 0o755)
        }
        return "\(place)/epitope-agent"
    }

    var first: String { "\(origin)/epitope-agent" }
}

extension Center {
    /// `agents` of a local center.
    func agents(_ arguments: String...) async throws -> Command {
        // Hundreds of megabytes go to the disk, which may be slow.
        try await Command.run(
            Command.built("epitope"), ["local-center", "agents"] + arguments.prefix(1) + ["--state", state] + arguments.dropFirst(),
            seconds: 300)
    }
}
