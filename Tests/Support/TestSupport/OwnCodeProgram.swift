// SPDX-License-Identifier: Apache-2.0

import Foundation

/// The program of the fixtures that changes its own code, compiled for as long as the value lives.
public final class OwnCodeProgram: Sendable {
    public let path: String
    private let folder: TemporaryFolder

    /// - Parameters:
    ///   - options: of the compiler.
    ///   - name: of the program.
    public init(_ options: [String] = [], name: String = "own-code") async throws {
        folder = try TemporaryFolder()
        path = "\(folder.path)/\(name)"
        let built = try await Command.run(
            "/usr/bin/env", ["clang", "-O1"] + options + ["-o", path, "\(PackageFolder.path)/Fixtures/OwnCode/main.c"])
        guard built.status == 0 else { throw ProgramBuildError(text: built.errors) }
    }

    /// Whether programs can be packed here.
    public static let canPack = ["/usr/bin/upx-ucl", "/usr/bin/upx"].contains { FileManager.default.isExecutableFile(atPath: $0) }

    /// The same program as a packer packs it: linked statically, so that all of its code unpacks itself.
    ///
    /// - Parameter linking: how the compiler links it.
    public static func packed(name: String = "own-code", linking: [String] = ["-static"]) async throws -> OwnCodeProgram {
        let program = try await OwnCodeProgram(linking, name: name)
        let packed = try await Command.run("/usr/bin/env", ["upx-ucl", "-q", "-q", "-1", program.path])
        guard packed.status == 0 else { throw ProgramBuildError(text: packed.errors) }
        return program
    }

    /// The same program with an address in the page of code that calls, which the dynamic loader writes there (DT_TEXTREL).
    public static func relocated(name: String = "own-code") async throws -> OwnCodeProgram {
        try await OwnCodeProgram(["-fPIE", "-pie", "-DTEXT_RELOCATION", "-Wl,-z,notext"], name: name)
    }

    /// The place of a function in the file, where probes are set.
    public func fileOffset(of symbol: String) async throws -> UInt64? {
        let symbols = try await Command.run("/usr/bin/env", ["nm", path]).output
        let headers = try await Command.run("/usr/bin/env", ["readelf", "-lW", path]).output
        guard let line = symbols.split(separator: "\n").first(where: { $0.hasSuffix(" \(symbol)") }),
            let address = line.split(separator: " ").first.flatMap({ UInt64($0, radix: 16) })
        else { return nil }
        for header in headers.split(separator: "\n").map({ $0.split(separator: " ") }) where header.first == "LOAD" && header.count > 5 {
            let numbers = [1, 2, 4].compactMap { UInt64(header[$0].dropFirst(2), radix: 16) }
            guard numbers.count == 3, address >= numbers[1], address - numbers[1] < numbers[2] else { continue }
            return address - numbers[1] + numbers[0]
        }
        return nil
    }
}
