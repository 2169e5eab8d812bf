// SPDX-License-Identifier: Apache-2.0

public import BehaviourBlocking
public import EpitopeModel
import FileAccess
import Foundation
import SettingsFiles

/// What is done about critical calls on this host, and what is excluded: the policy file, overridden by the command line.
public struct HostPolicy: Hashable, Sendable {
    /// Read if no file is named. It need not exist.
    public static let defaultPath = "/etc/epitope/policy.json"

    /// What the command line sets, instead of the file.
    public struct Overrides: Hashable, Sendable {
        public var action: Policy.Action?
        public var uninspectable: Policy.Uninspectable?

        public init(action: Policy.Action? = nil, uninspectable: Policy.Uninspectable? = nil) {
            self.action = action
            self.uninspectable = uninspectable
        }
    }

    /// How much of a policy file is read, in bytes.
    private static let maxSize = 1 << 20

    public var policy: Policy
    /// The file's exclusions, then the built-in ones.
    public var exclusions: [Exclusion]
    /// The file that was read; `nil` if there was none.
    public var path: String?

    /// Reads the named file, or else the default one if it exists.
    ///
    /// - Throws: `policy-missing`, `policy-not-trusted`, `policy-invalid`.
    public init(path: String?, overrides: Overrides = Overrides()) throws(EpitopeError) {
        let document: PolicyDocument?
        if path != nil || access(Self.defaultPath, F_OK) == 0 {
            let file = path ?? Self.defaultPath
            self.path = file
            document = try Self.read(file)
        } else {
            document = nil
        }
        let usual = Policy.default
        policy = Policy(
            action: overrides.action ?? document?.action ?? usual.action, blockAt: document?.blockAt ?? usual.blockAt,
            reportAt: document?.reportAt ?? usual.reportAt,
            uninspectable: overrides.uninspectable ?? document?.uninspectable ?? usual.uninspectable)
        exclusions = (document?.exclusions ?? []) + (document?.builtInExclusions ?? true ? BuiltInExclusions.all : [])
    }

    /// In a line, for a person.
    public var summary: String {
        let own = exclusions.filter { !BuiltInExclusions.all.contains($0) }.count
        let shipped = exclusions.count - own
        return "\(path ?? "no policy file"): \(policy.action.rawValue) at \(policy.blockAt) points, report at \(policy.reportAt), "
            + "\(own) exclusions and \(shipped) built-in ones"
    }

    /// The policy file must be writable only by root or the current user, since it can disable detection.
    private static func read(_ path: String) throws(EpitopeError) -> PolicyDocument {
        let (status, bytes): (FileStatus, [UInt8])
        do throws(FileError) {
            let file = try FileDescriptor(path, O_RDONLY | O_NONBLOCK)
            status = try file.status()
            bytes = try file.read(maxBytes: maxSize)
        } catch .notRegular {
            throw EpitopeError(.policyMissing, "the policy file \(path) isn't a regular file", remedy: "name a regular file")
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
        do {
            return try ConfigurationFile.decode(PolicyDocument.self, from: Data(bytes), path: path)
        } catch {
            throw EpitopeError(.policyInvalid, error.message, remedy: error.remedy)
        }
    }
}
