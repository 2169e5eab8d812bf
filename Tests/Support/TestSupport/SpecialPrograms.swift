// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import Foundation

/// The 32-bit program of the fixtures, compiled for as long as the value lives: Swift's toolchain brings a clang, and the
/// program needs no library.
public final class Program32Bit: Sendable {
    public let path: String
    private let folder: TemporaryFolder

    /// The caller's addresses in its page of executable memory, in the order of its calls: each connects by a number of its own
    /// and through `socketcall`.
    public static let callers: [(offset: UInt64, kind: EvidenceKind)] = [
        (19, .directCall), (19, .directCall), (64 + 22, .libraryCall), (64 + 22, .libraryCall),
    ]

    public init() async throws {
        folder = try TemporaryFolder()
        path = "\(folder.path)/program-32bit"
        let built = try await Command.run(
            "/usr/bin/env",
            [
                "clang", "-m32", "-nostdlib", "-static", "-ffreestanding", "-fno-stack-protector", "-fno-pic", "-o", path,
                "\(PackageFolder.path)/Fixtures/Program32Bit/main.c",
            ])
        guard built.status == 0 else { throw ProgramBuildError(text: built.errors) }
    }
}

/// A program as another has it, but for its stack, which is executable: as the linker's `-z execstack` makes it.
public struct ExecutableStackProgram {
    public let path: String

    public init(of program: String, at path: String) throws {
        self.path = path
        let image = try Data(contentsOf: URL(fileURLWithPath: program))
        guard let changed = Self.withExecutableStack([UInt8](image)) else {
            throw ProgramBuildError(text: "\(program) has no header for its stack")
        }
        _ = FileManager.default.createFile(atPath: path, contents: Data(changed), attributes: [.posixPermissions: 0o755])
    }

    /// The 64-bit ELF image with the executable flag set in its PT_GNU_STACK header; `nil` where it has none.
    static func withExecutableStack(_ image: [UInt8]) -> [UInt8]? {
        func number(_ place: Int, _ count: Int) -> Int { (0..<count).reduce(0) { $0 | Int(image[place + $1]) << (8 * $1) } }
        guard image.count > 64, image.starts(with: [0x7F, 0x45, 0x4C, 0x46, 2]) else { return nil }
        let (table, size, count) = (number(32, 8), number(54, 2), number(56, 2))
        for header in stride(from: table, to: table + size * count, by: size) where number(header, 4) == 0x6474_E551 {
            var changed = image
            changed[header + 4] |= 1
            return changed
        }
        return nil
    }
}

struct ProgramBuildError: Error, CustomStringConvertible {
    var text: String
    var description: String { "a program for the tests could not be made: \(text)" }
}
