// SPDX-License-Identifier: Apache-2.0

import AgentLifeCycle
import Crypto
public import EpitopeModel
public import FileAccess
import FoundationEssentials
import Glibc
public import SecureChannel

/// The versions of the application that a host has of its center: a folder each, named by the order's number, with the order as it was
/// signed and the programs.
///
/// A file gets its name, and the right to be executed, once its content is known to be the one that was signed; and it is looked at again,
/// whole, before each start: what is executed is the very file that was looked at, by its descriptor.
public struct AgentShelf: Sendable {
    /// Without symbolic links; nobody but root and the agent's own user can write to it or above it.
    public let path: String

    private static let stateFile = "state.json"
    private static let orderFile = "order"
    /// A link to the folder of the version that runs.
    public static let currentLink = "current"
    private static let maxStateBytes = 65_536
    private static let chunkBytes = 1 << 20
    /// That stays free on the disk, in bytes.
    private static let reserveBytes: Int64 = 64 << 20

    /// - Parameter path: is made where it is missing.
    /// - Throws: `folder-not-private`, `folder-unusable`.
    public init(_ path: String) throws(EpitopeError) {
        self.path = try PrivateFolder(path).path
    }

    /// What a host remembers of its versions.
    public struct State: Codable, Hashable, Sendable {
        /// The number of the order by which it runs what it runs.
        public var current: Int64
        public var previous: Int64?
        /// Of all orders that it has heard of. None up to it is heard again.
        public var highest: Int64
        /// What is being tried: still there after a start, it was cut short.
        public var trying: Int64?
        /// What the center is to be told.
        public var report: AgentReport?
        /// SHA-256 of the manifests that an authority had signed which was trusted at that time, by the order's number: authorities are
        /// replaced, and what runs goes on.
        var accepted: [String: String]

        init(current: Int64, manifest: AgentManifest) {
            self.current = current
            highest = current
            accepted = [:]
            accept(manifest)
        }

        mutating func accept(_ manifest: AgentManifest) { accepted["\(manifest.number)"] = Self.digest(of: manifest) }

        func isAccepted(_ manifest: AgentManifest) -> Bool { accepted["\(manifest.number)"] == Self.digest(of: manifest) }

        private static func digest(of manifest: AgentManifest) -> String { Hex.encode(SHA256.hash(data: Data(manifest.text.utf8))) }
    }

    /// - Returns: `nil`: nothing was installed here.
    /// - Throws: `state-unwritable` where it can't be read.
    public func state() throws(EpitopeError) -> State? {
        do {
            let bytes = try FileContents.whole("\(path)/\(Self.stateFile)", maxBytes: Self.maxStateBytes, followLinks: false)
            return try JSONDecoder().decode(State.self, from: Data(bytes))
        } catch let error as FileError where error.isAbsence {
            return nil
        } catch {
            throw Self.unusable("\(path)/\(Self.stateFile) can't be read: \(error)")
        }
    }

    /// Remembers a state, durably.
    ///
    /// - Throws: `state-unwritable`.
    func save(_ state: State) throws(EpitopeError) {
        do {
            try AtomicFile.write(Array(try JSONEncoder().encode(state)), to: "\(path)/\(Self.stateFile)", mode: 0o600)
        } catch {
            throw Self.unusable("\(path)/\(Self.stateFile) can't be written: \(error)")
        }
        link(to: state.current)
    }

    /// The link is for people's shells: what the keeper runs it finds by the state.
    private func link(to number: Int64) {
        let temporary = "\(path)/\(Self.currentLink).new"
        unlink(temporary)
        if symlink("\(number)", temporary) == 0 { rename(temporary, "\(path)/\(Self.currentLink)") }
    }

    /// The manifest of a version that is here.
    ///
    /// - Throws: `agent-tampered` where it is not one that was accepted.
    public func manifest(_ number: Int64, in state: State) throws(EpitopeError) -> AgentManifest {
        let place = "\(path)/\(number)/\(Self.orderFile)"
        guard let bytes = try? FileContents.whole(place, maxBytes: SignedManifest.maxTextBytes, followLinks: false) else {
            throw Self.unusable("\(place) can't be read")
        }
        let manifest = try SignedManifest(text: String(decoding: bytes, as: UTF8.self)).manifest
        guard manifest.number == number, state.isAccepted(manifest) else { throw HandoutErrors.tampered(Self.orderFile, manifest) }
        return manifest
    }

    /// Opens a program to be executed by its descriptor, once all of it is known to be what was signed.
    ///
    /// - Throws: `agent-tampered`.
    public func open(_ name: String, of manifest: AgentManifest) throws(EpitopeError) -> FileDescriptor {
        guard let file = manifest.files.first(where: { $0.name == name }),
            let descriptor = try? FileDescriptor("\(path)/\(manifest.number)/\(name)", O_RDONLY | O_NOFOLLOW),
            let status = try? descriptor.status(), status.kind == .regular, status.identity.size == Int64(file.size),
            status.owner == geteuid(), status.permissions & 0o022 == 0, (try? Self.digest(of: descriptor)) == file.sha256
        else { throw HandoutErrors.tampered(name, manifest) }
        return descriptor
    }

    private static func digest(of descriptor: FileDescriptor) throws(FileError) -> String {
        var hash = SHA256()
        var place = 0
        while true {
            let bytes = try DescriptorIO.bytes(descriptor.number, at: place, count: chunkBytes)
            if bytes.isEmpty { break }
            hash.update(data: bytes)
            place += bytes.count
        }
        return Hex.encode(hash.finalize())
    }

    /// Puts a version here. Nothing of it can be executed until it is whole, and known to be what was signed.
    ///
    /// - Parameters:
    ///   - signed: that was verified.
    ///   - part: gives a part of a program.
    /// - Throws: `agent-no-room`, `agent-tampered`, `state-unwritable`, what `part` throws.
    func add(
        _ signed: SignedManifest, part: (Int, AgentManifest.File) async throws(EpitopeError) -> [UInt8]
    ) async throws(EpitopeError) {
        let manifest = signed.manifest
        try requireRoom(for: manifest)
        let staging = "\(path)/\(manifest.number).new"
        remove(staging)
        guard mkdir(staging, 0o700) == 0 else { throw Self.unusable("\(staging) can't be made: \(String(cString: strerror(errno)))") }
        defer { remove(staging) }
        for file in manifest.files {
            let descriptor: FileDescriptor
            do throws(FileError) {
                descriptor = try FileDescriptor("\(staging)/\(file.name)", O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
            } catch {
                throw Self.failure("\(staging)/\(file.name) can't be made", error, manifest)
            }
            var place = 0
            for number in 0..<file.parts {
                let bytes = try await part(number, file)
                // One that is longer than it may be is not the one that was signed: it is not let onto the disk.
                guard bytes.count == min(AgentManifest.partBytes, file.size - place) else {
                    throw HandoutErrors.tampered(file.name, manifest)
                }
                do throws(FileError) {
                    try DescriptorIO.write(bytes, to: descriptor.number, at: place)
                } catch {
                    throw Self.failure("\(staging)/\(file.name) can't be written", error, manifest)
                }
                place += bytes.count
            }
            guard (try? Self.digest(of: descriptor)) == file.sha256 else { throw HandoutErrors.tampered(file.name, manifest) }
            guard fchmod(descriptor.number, 0o500) == 0, fsync(descriptor.number) == 0 else {
                throw Self.failure("\(staging)/\(file.name) can't be written", .system(errno), manifest)
            }
        }
        do throws(FileError) {
            try AtomicFile.write(Array(signed.text.utf8), to: "\(staging)/\(Self.orderFile)", mode: 0o600)
            let place = "\(path)/\(manifest.number)"
            remove(place)
            guard rename(staging, place) == 0 else { throw FileError.system(errno) }
            try Folders.synchronize(path)
        } catch {
            throw Self.failure("\(path)/\(manifest.number) can't be made", error, manifest)
        }
    }

    /// Removes all versions but some.
    func removeAll(but kept: [Int64]) {
        let kept = Set(kept.map { "\($0)" })
        for name in (try? Folders.names(path, maxCount: 1000)) ?? [] {
            guard let first = name.utf8.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first), !kept.contains(name) else {
                continue
            }
            remove("\(path)/\(name)")
        }
    }

    private func remove(_ folder: String) {
        for name in (try? Folders.names(folder, maxCount: 100)) ?? [] { unlink("\(folder)/\(name)") }
        rmdir(folder)
    }

    private func requireRoom(for manifest: AgentManifest) throws(EpitopeError) {
        let needed = manifest.files.reduce(Self.reserveBytes) { $0 + Int64($1.size) }
        guard let room = FileSystemRoom(at: path), room.availableBytes < needed else { return }
        throw Self.noRoom(manifest, "\(room.availableBytes >> 20) MB are free in \(path), and \(needed >> 20) MB are needed")
    }

    private static func noRoom(_ manifest: AgentManifest, _ why: String) -> EpitopeError {
        EpitopeError(
            .agentNoRoom, "there is no room for version \(manifest.version): \(why)",
            remedy: "make room on the host's disk, and order the version again")
    }

    private static func failure(_ what: String, _ cause: FileError, _ manifest: AgentManifest) -> EpitopeError {
        cause.number == ENOSPC || cause.number == EDQUOT ? noRoom(manifest, "\(what) (\(cause))") : unusable("\(what): \(cause)")
    }

    private static func unusable(_ what: String) -> EpitopeError {
        EpitopeError(
            .stateUnwritable, "the host's versions of Epitope can't be kept: \(what)",
            remedy: "see that the folder belongs to root and its disk has room; to begin anew, install the host again with a new token")
    }
}
