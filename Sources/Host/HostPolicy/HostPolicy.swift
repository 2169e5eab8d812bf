// SPDX-License-Identifier: Apache-2.0

public import BehaviourBlocking
public import EpitopeModel
import FileAccess
import Foundation
import SettingsFiles

/// What is done about critical calls on this host, and who is excluded: a policy file, and what the command line says
/// above it.
public struct HostPolicy: Hashable, Sendable {
    /// Read where no file is named; it need not be there.
    public static let defaultPath = "/etc/epitope/policy.json"

    /// What the command line says, above the file.
    public struct Overrides: Hashable, Sendable {
        public var action: Policy.Action?
        public var uninspectable: Policy.Uninspectable?

        public init(action: Policy.Action? = nil, uninspectable: Policy.Uninspectable? = nil) {
            self.action = action
            self.uninspectable = uninspectable
        }
    }

    public var policy: Policy
    /// The file's own, then those that come with Epitope.
    public var exclusions: [Exclusion]
    /// The file that was read; `nil` where there is none.
    public var path: String?

    /// Reads the file that is named, else the usual one if it is there.
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
            + "\(own) exclusions and \(shipped) that come with Epitope"
    }

    /// Whoever may write the policy may exclude himself: only root, and who runs this, may.
    private static func read(_ path: String) throws(EpitopeError) -> PolicyDocument {
        let (status, bytes): (FileStatus, [UInt8])
        do throws(FileError) {
            let file = try FileDescriptor(path, O_RDONLY | O_NONBLOCK)
            status = try file.status()
            bytes = try file.read(maxBytes: 1 << 20)
        } catch .notRegular {
            throw EpitopeError(.policyMissing, "\(path) is no regular file", remedy: "name a file")
        } catch {
            throw EpitopeError(
                .policyMissing, "the policy file \(path) can't be read: \(error)",
                remedy: "name a file that is there, and that this user may read")
        }
        guard status.owner == 0 || status.owner == geteuid(), status.permissions & 0o022 == 0 else {
            throw EpitopeError(
                .policyNotTrusted, "others may write the policy file \(path), and so exclusion themselves",
                remedy: "chown it to root, and chmod go-w it")
        }
        do {
            return try ConfigurationFile.decode(PolicyDocument.self, from: Data(bytes), path: path)
        } catch {
            throw EpitopeError(.policyInvalid, error.message, remedy: error.remedy)
        }
    }
}
