// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// The units of the centers and their keys, as systemd understands them. How they live under it: MachineTests.
@Suite(.enabled(if: access("/usr/bin/systemd-analyze", X_OK) == 0, "needs systemd-analyze: Scripts/install-dependencies test"))
struct CenterUnitTests {
    private static let source = "\(PackageFolder.path)/Packaging/systemd"

    /// The units of a kind of center, with the program where it was built.
    private static func units(_ kind: String, in folder: TemporaryFolder) throws -> [String] {
        try ["\(kind).service", "\(kind)-key.service", "\(kind)-key.socket"].map { name in
            let text = try String(contentsOfFile: "\(source)/epitope-\(name)", encoding: .utf8)
                .replacing("/usr/bin/epitope", with: try Command.built("epitope"))
            let path = "\(folder.path)/epitope-\(name)"
            try Data(text.utf8).write(to: URL(filePath: path))
            return path
        }
    }

    @Test(arguments: ["local-center", "global-center"])
    func `systemd accepts the units, and finds little that they could do`(_ kind: String) async throws {
        let folder = try TemporaryFolder()
        let units = try Self.units(kind, in: folder)
        let verified = try await Command.run("/usr/bin/systemd-analyze", ["verify"] + units)
        #expect(verified.status == 0 && verified.errors.isEmpty, "\(verified.errors)")
        // Of 0 (safe) to 10 (unsafe), times ten.
        for (unit, limit) in [(units[0], 20), (units[1], 10)] {
            let exposure = try await Command.run(
                "/usr/bin/systemd-analyze", ["security", "--offline=true", "--threshold=\(limit)", unit])
            let verdict = exposure.output.split(separator: "\n").last ?? ""
            print("\(kind): \(verdict)")
            #expect(exposure.status == 0, "\(exposure.output)\(exposure.errors)")
        }
    }

    @Test(arguments: ["local-center", "global-center"])
    func `what the units run is a command that there is, and their paths fit together`(_ kind: String) async throws {
        func lines(_ name: String, _ setting: String) throws -> [String] {
            try String(contentsOfFile: "\(Self.source)/epitope-\(kind)\(name)", encoding: .utf8).split(separator: "\n")
                .filter { $0.hasPrefix("\(setting)=") }.map { String($0.dropFirst(setting.count + 1)) }
        }
        let socket = try #require(lines("-key.socket", "ListenSequentialPacket").first)
        let serve = try #require(lines(".service", "ExecStart").first)
        #expect(serve.contains("--key-socket \(socket)") && serve.contains("--state /var/lib/epitope/\(kind) "))
        #expect(try lines("-key.socket", "SocketUser") == lines(".service", "User"))
        #expect(
            try lines("-key.service", "LoadCredential") == [
                "authority.pem:/var/lib/epitope/\(kind).key/authority.pem",
                "authority-key.pem:/var/lib/epitope/\(kind).key/authority-key.pem",
            ])
        // The user of the center is none that the key's file is anybody's to; nor can it see it.
        #expect(try lines(".service", "InaccessiblePaths") == ["-/var/lib/epitope/\(kind).key"])
        #expect(try lines("-key.service", "DynamicUser") == ["yes"])
        for (name, words) in [(".service", serve), ("-key.service", try #require(lines("-key.service", "ExecStart").first))] {
            let options = words.split(separator: " ").dropFirst().map(String.init)
            let help = try await Command.run(Command.built("epitope"), options.prefix(2) + ["--help"])
            #expect(help.status == 0, "\(name)")
            for option in options where option.hasPrefix("--") { #expect(help.output.contains(option + " "), "\(name): \(option)") }
        }
    }
}
