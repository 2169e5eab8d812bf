// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
public import FileAccess
import FoundationEssentials
import Glibc

/// A revocation, as it stands in the list beside the store.
public struct Revocation: Hashable, Sendable, Codable {
    public var role: Identity.Role
    public var name: String
    /// When it was, in milliseconds since 1970.
    public var timeMilliseconds: Int64
    /// Certificates that were issued up to then are revoked, in milliseconds since 1970.
    public var issuedUntilMilliseconds: Int64

    /// Whom it is about.
    public var identity: Identity { Identity(role: role, name: name) }

    public init(role: Identity.Role, name: String, timeMilliseconds: Int64, issuedUntilMilliseconds: Int64) {
        (self.role, self.name) = (role, name)
        (self.timeMilliseconds, self.issuedUntilMilliseconds) = (timeMilliseconds, issuedUntilMilliseconds)
    }
}

/// The store's revocations once more, in a file beside it that only grows, a line of JSON each: whoever restores an older state of the
/// store takes from it who was revoked since.
///
/// A line that is added also tells whoever has the store open that there is a revocation more (``KnownRevocations``). Earlier versions
/// add a dot instead.
public struct RevocationList: Sendable {
    /// Some hundred thousand revocations.
    private static let maxBytes = 64 << 20

    public let path: String

    public init(path: String) { self.path = path }

    /// - Parameter store: the store's path.
    init(beside store: String) { path = store + "-revocations" }

    /// What is in the file's text, and how many of its lines can't be read: a crash may leave a part of the last.
    public static func read(_ text: String) -> (revocations: [Revocation], unreadable: Int) {
        let decoder = JSONDecoder()
        var (found, unreadable): ([Revocation], Int) = ([], 0)
        for line in text.split(separator: "\n") {
            let content = line.drop { $0 == "." || $0.isWhitespace }
            guard !content.isEmpty else { continue }
            if let revocation = try? decoder.decode(Revocation.self, from: Data(content.utf8)), Identity.isValidName(revocation.name) {
                found.append(revocation)
            } else {
                unreadable += 1
            }
        }
        return (found, unreadable)
    }

    /// What the list has; nothing where there is none.
    public func read() throws(FileError) -> (revocations: [Revocation], unreadable: Int) {
        do throws(FileError) {
            let bytes = try FileDescriptor(path, O_RDONLY | O_NONBLOCK).readWhole(maxBytes: Self.maxBytes)
            return Self.read(String(decoding: bytes, as: UTF8.self))
        } catch {
            if error.isAbsence { return ([], 0) }
            throw error
        }
    }

    /// Those that the list lacks, or has with an earlier time of issue.
    static func missing(_ revocations: [Revocation], in listed: [Revocation]) -> [Revocation] {
        let known = Dictionary(listed.map { ($0.identity, $0.issuedUntilMilliseconds) }, uniquingKeysWith: max)
        return revocations.filter { $0.issuedUntilMilliseconds > known[$0.identity] ?? .min }
    }

    /// Of each identity the one that covers most.
    static func latest(_ revocations: [Revocation]) -> [Revocation] {
        Dictionary(revocations.map { ($0.identity, $0) }) { $0.issuedUntilMilliseconds < $1.issuedUntilMilliseconds ? $1 : $0 }
            .values.sorted { ($0.role.rawValue, $0.name) < ($1.role.rawValue, $1.name) }
    }

    /// Adds lines, which are on the disk when this returns.
    func append(_ revocations: [Revocation]) throws(FileError) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // A line of its own also where the last one was cut short.
        let lines = revocations.compactMap { try? encoder.encode($0) }.map { "\n" + String(decoding: $0, as: UTF8.self) }
        let file = try FileDescriptor(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, mode: 0o600)
        let status = try file.status()
        // Root's commands beside a center of another user. One that has other names may be any file of root's.
        if status.owner == 0, status.links == 1, let owner = (try? FileStatus(path: Folders.parent(of: path)))?.owner, owner != 0 {
            fchown(file.number, owner, gid_t.max)
        }
        let bytes = Array((lines.joined() + "\n").utf8)
        var place = 0
        while place < bytes.count {
            var result: Result<Int, FileError> = .success(0)
            bytes[place...].withUnsafeBytes { rest in
                result = Result { () throws(FileError) in try DescriptorIO.append(rest, to: file.number) }
            }
            place += try result.get()
        }
        guard fdatasync(file.number) == 0 else { throw .system(errno) }
    }
}

extension CenterStore {
    /// The list of revocations beside this store.
    public var revocationList: RevocationList { RevocationList(beside: path) }

    /// Adds to the list beside the store what it lacks: all of it where an earlier version made the store, and what a full disk or a
    /// crash kept out.
    ///
    /// - Throws: `revocations-unwritable`: the store has them all the same.
    public func listRevocations() async throws(EpitopeError) {
        let revocations = try await snapshot { try $0.allRevocations() }
        let list = revocationList
        do throws(FileError) {
            let missing = RevocationList.missing(revocations, in: try list.read().revocations)
            if !missing.isEmpty { try list.append(missing) }
        } catch {
            throw EpitopeError(
                .revocationsUnwritable, "the list of revocations \(list.path) can't be written: \(error)",
                remedy: "they are in force: the list is for a restore from an older backup. Make room on the disk, or look at the file's "
                    + "owner; it is written with the next revocation, and when the center starts"
            )
        }
    }
}

extension EpitopeError.Code {
    /// The list of revocations beside the store can't be written.
    public static let revocationsUnwritable = EpitopeError.Code("revocations-unwritable")
}
