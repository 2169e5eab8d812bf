// SPDX-License-Identifier: Apache-2.0

import Crypto
public import EpitopeModel
import FileAccess
import Foundation

/// The policy that is in force although its file can't be used: the last good one, which is kept in the state folder, or the
/// default one. A typo must not end protection, nor take back the exclusions that ordinary programs need.
public struct PolicyInForce: Hashable, Sendable {
    /// Where it is from.
    public enum Source: Hashable, Sendable {
        /// The policy file, or the defaults where there is none.
        case file
        case lastGood
        case defaults
    }

    public var policy: HostPolicy
    public var source: Source
    /// Why the policy file is not in force; `nil` if it is. Says what is in force instead.
    public var problem: EpitopeError?

    /// Reads the named file, or else the default one if it exists; and what stands in for it, if it can't be used.
    ///
    /// - Parameter state: the state folder, where a copy of each good policy is kept.
    public init(path: String?, overrides: HostPolicy.Overrides = .init(), state: String) {
        let file = PolicyFile(path: path)
        let isRead = path != nil || file.exists
        let copy = PolicyFile(path: Self.copy(of: file.path, in: state))
        do throws(EpitopeError) {
            guard isRead else {
                (policy, source) = (HostPolicy(nil, of: nil, overrides), .file)
                return
            }
            let read = try file.read()
            (policy, source) = (HostPolicy(read.document, of: file.path, overrides), .file)
            Self.keep(Array(read.text.utf8), as: copy.path)
        } catch {
            if let document = try? copy.read().document {
                (policy, source) = (HostPolicy(document, of: copy.path, overrides), .lastGood)
            } else {
                (policy, source) = (HostPolicy(nil, of: nil, overrides), .defaults)
            }
            let instead = source == .lastGood ? "the last good policy (\(copy.path)) is in force" : "the default policy is in force"
            problem = EpitopeError(error.code, "\(error.message); \(instead)", remedy: error.remedy)
        }
    }

    /// Each policy file has a copy of its own, by its absolute path: the same name in another folder is another file.
    private static func copy(of file: String, in state: String) -> String {
        let path = URL(filePath: file).standardizedFileURL.path(percentEncoded: false)
        return "\(state)/last-good-policy-\(Hex.encode(SHA256.hash(data: Data(path.utf8)).prefix(16))).json"
    }

    /// A copy that can't be written, such as on a full disk, leaves the one before.
    private static func keep(_ bytes: [UInt8], as copy: String) {
        guard (try? FileContents.bytes(copy, maxBytes: bytes.count + 1, followLinks: false)) != bytes else { return }
        try? Folders.make(Folders.parent(of: copy), mode: 0o700)
        try? AtomicFile.write(bytes, to: copy, mode: 0o600)
    }
}
