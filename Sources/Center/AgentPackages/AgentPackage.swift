// SPDX-License-Identifier: Apache-2.0

import Crypto
public import EpitopeModel
import FileAccess
public import FoundationEssentials
import Glibc
public import SecureChannel

/// The host's application as an operator has it: the two programs, as files or in a package (`.deb`, `.rpm`, `.tar.*`), with the version and
/// the architecture that they say themselves. Nothing of it is run here.
public struct AgentPackage: Sendable {
    public let version: AgentVersion
    public let architecture: AgentArchitecture
    public let files: [(file: AgentManifest.File, content: Data)]

    /// Of a package, in bytes.
    static let maxPackageBytes = 512 << 20

    /// Reads a package, or a program and the one beside it.
    ///
    /// - Throws: `agent-package-unusable`.
    public init(path: String) throws(EpitopeError) {
        let bytes = try Self.read(path, maxBytes: Self.maxPackageBytes)
        guard !ELFHeader.isELF(bytes) else {
            let name = path.split(separator: "/").last.map(String.init) ?? path
            guard AgentManifest.fileNames.contains(name) else { throw Self.unusable(path, "it is a program, and not epitope-agent") }
            let folder = Folders.parent(of: path)
            var programs: [String: Data] = [:]
            for name in AgentManifest.fileNames {
                programs[name] = try Self.read("\(folder)/\(name)", maxBytes: AgentManifest.maxFileBytes)
            }
            try self.init(programs: programs, of: path)
            return
        }
        try self.init(programs: try PackageReader.programs(named: AgentManifest.fileNames, in: bytes, of: path), of: path)
    }

    /// - Parameter path: for errors.
    init(programs: [String: Data], of path: String) throws(EpitopeError) {
        var files: [(AgentManifest.File, Data)] = []
        var versions: Set<String> = []
        var architectures: Set<AgentArchitecture> = []
        for name in AgentManifest.fileNames {
            guard let content = programs[name] else { throw Self.unusable(path, "it has no program \(name)") }
            guard (1...AgentManifest.maxFileBytes).contains(content.count) else {
                throw Self.unusable(
                    path, "\(name) is empty, or larger than \(AgentManifest.maxFileBytes >> 20) MB (`strip` makes it smaller)")
            }
            guard let machine = ELFHeader.machine(of: content), let architecture = AgentArchitecture(elfMachine: machine) else {
                throw Self.unusable(path, "\(name) is no program for an architecture that Epitope knows")
            }
            guard let version = VersionMark.version(in: content) else {
                throw Self.unusable(path, "\(name) says no version: it is no program of Epitope, or of an early version")
            }
            versions.insert(version)
            architectures.insert(architecture)
            files.append((AgentManifest.File(name: name, size: content.count, sha256: Hex.encode(SHA256.hash(data: content))), content))
        }
        guard versions.count == 1, let version = versions.first.flatMap({ AgentVersion($0) }), let architecture = architectures.first,
            architectures.count == 1
        else {
            throw Self.unusable(
                path, "its programs are of different versions or architectures: \(versions.sorted().joined(separator: ", "))")
        }
        self.version = version
        self.architecture = architecture
        self.files = files
    }

    private static func read(_ path: String, maxBytes: Int) throws(EpitopeError) -> Data {
        do throws(FileError) {
            return Data(try FileContents.whole(path, maxBytes: maxBytes))
        } catch {
            throw unusable(path, "\(error)")
        }
    }

    static func unusable(_ path: String, _ why: String) -> EpitopeError {
        EpitopeError(
            .agentPackageUnusable, "\(path) can't be handed out: \(why)",
            remedy: "give Epitope's package (.deb, .rpm, .tar.gz), or its program epitope-agent with epitope beside it (`make build`)")
    }
}

extension EpitopeError.Code {
    /// A file is no package of the host's application.
    public static let agentPackageUnusable = EpitopeError.Code("agent-package-unusable")
}

/// The first bytes of a program (elf.h).
enum ELFHeader {
    private static let magic: [UInt8] = [0x7f, 0x45, 0x4c, 0x46]
    /// Of `e_machine`, for little-endian machines.
    private static let machinePlace = 18

    static func isELF(_ bytes: Data) -> Bool { bytes.starts(with: magic) }

    static func machine(of bytes: Data) -> UInt16? {
        guard isELF(bytes), bytes.count > machinePlace + 1, bytes[bytes.startIndex + 5] == 1 else { return nil }
        let place = bytes.startIndex + machinePlace
        return UInt16(bytes[place]) | UInt16(bytes[place + 1]) << 8
    }
}

/// The version that a program says in its file (``EpitopeModel/Version``).
enum VersionMark {
    /// Of a version with the mark's end, in bytes.
    private static let maxLength = 40

    /// - Returns: `nil` where it says none, or more than one.
    static func version(in program: Data) -> String? {
        var found: Set<String> = []
        let mark = Array(Version.markBegin.utf8)
        program.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress, let last = mark.last else { return }
            var place = 0
            // The last byte of a mark is rare: the C library finds it quicker than a loop would.
            while place < bytes.count, let hit = memchr(base + place, Int32(last), bytes.count - place) {
                place = UnsafeRawPointer(hit) - base + 1
                guard place >= mark.count, memcmp(base + place - mark.count, mark, mark.count) == 0 else { continue }
                let text = String(decoding: bytes[place..<min(place + maxLength, bytes.count)], as: UTF8.self)
                guard let end = text.firstIndex(of: Version.markEnd), AgentVersion(text[..<end]) != nil else { continue }
                found.insert(String(text[..<end]))
            }
        }
        return found.count == 1 ? found.first : nil
    }
}
