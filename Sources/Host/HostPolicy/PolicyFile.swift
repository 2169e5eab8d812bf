// SPDX-License-Identifier: Apache-2.0

public import BehaviourBlocking
public import EpitopeModel
import FileAccess
import Foundation
import SettingsFiles

/// The policy file as it is on the disk.
public struct PolicyFile: Sendable {
    /// How large a policy file may be, in bytes: one with more exclusions than it may have is still read, and counted.
    static let maxBytes = 16 << 20

    public let path: String

    public init(path: String?) { self.path = path ?? HostPolicy.defaultPath }

    /// Whether there is a file.
    public var exists: Bool { access(path, F_OK) == 0 }

    /// Reads the file. It must be writable only by root or the current user, since it can disable detection.
    ///
    /// - Throws: `policy-missing`, `policy-not-trusted`, `policy-invalid`.
    func read() throws(EpitopeError) -> (document: PolicyDocument, text: String, status: FileStatus) {
        let (status, bytes): (FileStatus, [UInt8])
        do throws(FileError) {
            let file = try FileDescriptor(path, O_RDONLY | O_NONBLOCK)
            status = try file.status()
            bytes = try file.readWhole(maxBytes: Self.maxBytes)
        } catch .notRegular {
            throw EpitopeError(.policyMissing, "the policy file \(path) isn't a regular file", remedy: "name a regular file")
        } catch .tooLong {
            throw EpitopeError(
                .policyInvalid, "the policy file \(path) is larger than \(Self.maxBytes >> 20) MiB",
                remedy: "keep to \(PolicyDocument.maxExclusions) exclusions: exclude a package instead of its files")
        } catch {
            throw EpitopeError(
                .policyMissing, "the policy file \(path) can't be read: \(error)",
                remedy: "name a file that exists and that this user may read")
        }
        guard status.owner == 0 || status.owner == geteuid(), status.permissions & 0o022 == 0 else {
            throw EpitopeError(
                .policyNotTrusted, "users other than its owner may write to the policy file \(path), and so disable detection",
                remedy: "make root its owner (chown root), and remove the others' right to write (chmod go-w)")
        }
        return (try Self.decode(bytes, path: path), String(decoding: bytes, as: UTF8.self), status)
    }

    /// Reads the text of a policy file.
    ///
    /// - Parameter path: where it is from, for errors.
    /// - Throws: `policy-invalid`.
    public static func decode(_ bytes: [UInt8], path: String) throws(EpitopeError) -> PolicyDocument {
        do {
            return try ConfigurationFile.decode(PolicyDocument.self, from: Data(bytes), path: path)
        } catch {
            throw EpitopeError(.policyInvalid, error.message, remedy: error.remedy)
        }
    }

    /// Adds exclusions to the file, which is made where there is none, and replaced in one step. What it has already isn't added
    /// again.
    ///
    /// - Returns: those that were added.
    /// - Throws: what ``HostPolicy/init(path:overrides:)`` throws, and `policy-unwritable`.
    public func add(_ exclusions: [Exclusion]) throws(EpitopeError) -> [Exclusion] {
        let old = exists ? try read() : nil
        let known = old?.document.exclusions ?? []
        let new = exclusions.filter { !known.contains($0) }
        guard !new.isEmpty else { return [] }
        let lines = new.map { "  " + PolicyText.entry($0) }.joined(separator: "\n")
        guard let text = PolicyText.adding(new, to: old?.text),
            // A key that is written in another way is there twice then.
            (try? Self.decode(Array(text.utf8), path: path))?.exclusions.count == known.count + new.count
        else {
            throw EpitopeError(
                .policyUnwritable, "nothing can be added to the policy file \(path) as it is written",
                remedy: "add it to \"exclusions\" yourself:\n\(lines)")
        }
        do throws(FileError) {
            try write(text, like: old?.status)
        } catch {
            throw EpitopeError(
                .policyUnwritable, "the policy file \(path) can't be written: \(error)",
                remedy: "run the command as the file's owner (sudo), or name another file with --policy")
        }
        return new
    }

    private func write(_ text: String, like old: FileStatus?) throws(FileError) {
        // A link stays, and what it leads to is replaced.
        var target = path
        if let resolved = realpath(path, nil) {
            target = String(cString: resolved)
            free(resolved)
        } else {
            try Folders.make(Folders.parent(of: path), mode: 0o755)
        }
        let file = try AtomicFile(replacing: target, mode: old?.permissions ?? 0o644)
        if let old, old.owner != geteuid(), fchown(file.descriptor.number, old.owner, gid_t.max) != 0 { throw .system(errno) }
        var failure: FileError?
        var bytes = Array(text.utf8)
        bytes.withUnsafeMutableBytes { bytes in
            do throws(FileError) {
                try DescriptorIO.write(UnsafeRawBufferPointer(bytes), to: file.descriptor.number, at: 0)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        try file.commit()
    }
}
