// SPDX-License-Identifier: Apache-2.0

import Foundation

/// The program of the fixtures that changes its own code, compiled for as long as the value lives.
public final class OwnCodeProgram: Sendable {
    public let path: String
    private let folder: TemporaryFolder

    private static let source = "\(PackageFolder.path)/Fixtures/OwnCode/main.c"
    /// What has the dynamic loader write an address of the program's own, and one of the C library's, into the page of code that calls.
    private static let textRelocations = ["-DTEXT_RELOCATION", "-Wl,-z,notext"]

    /// - Parameters:
    ///   - options: of the compiler.
    ///   - name: of the program.
    public init(_ options: [String] = [], name: String = "own-code") async throws {
        folder = try TemporaryFolder()
        path = "\(folder.path)/\(name)"
        try await compile(options + ["-o", path, Self.source])
    }

    /// The same program as a library, and a program that begins with it.
    ///
    /// - Parameter isRelocated: as of ``relocated(name:)``.
    public init(asLibrary name: String, isRelocated: Bool) async throws {
        folder = try TemporaryFolder()
        path = "\(folder.path)/own-code"
        let library = "\(folder.path)/\(name)"
        let main = "\(folder.path)/main.c"
        try Data("int work(int, char **); int main(int count, char **arguments) { return work(count, arguments); }\n".utf8)
            .write(to: URL(fileURLWithPath: main))
        let options = isRelocated ? Self.textRelocations : []
        try await compile(["-fPIC", "-shared", "-Dmain=work"] + options + ["-o", library, Self.source])
        try await compile(["-o", path, main, library])
    }

    private func compile(_ options: [String]) async throws {
        let built = try await Command.run("/usr/bin/env", ["clang", "-O1"] + options)
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

    /// The same program with addresses in the page of code that calls, which the dynamic loader writes there (DT_TEXTREL).
    public static func relocated(name: String = "own-code") async throws -> OwnCodeProgram {
        try await OwnCodeProgram(["-fPIE", "-pie"] + textRelocations, name: name)
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
