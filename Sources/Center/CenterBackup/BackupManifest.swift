// SPDX-License-Identifier: Apache-2.0

public import CenterStore
public import EpitopeModel

/// What a backup says of itself.
public struct BackupManifest: Hashable, Sendable, Codable {
    /// A file in it.
    public struct Part: Hashable, Sendable, Codable {
        /// ``BackupPart``, as a word.
        public var name: String
        /// Where its bytes begin in the backup.
        public var offset: Int64
        public var bytes: Int64
        /// SHA-256 in hexadecimal digits.
        public var sha256: String
    }

    /// Counts up with each change that an earlier version can't read: 2 is a backup without a store, which is in PostgreSQL.
    public static let currentVersion = 2

    public var version: Int
    /// `local-center` or `global-center`.
    public var kind: String
    /// SHA-256 of the authority's certificate, in hexadecimal digits.
    public var authority: String
    /// When it was begun, by the machine's clock, in milliseconds since 1970.
    public var madeMilliseconds: Int64
    /// What the store held then.
    public var store: StoreFacts
    public var parts: [Part]

    /// Whether the store is in it: not one in PostgreSQL.
    public var hasStore: Bool { part(.store) != nil }

    /// Whether the authority's key is in it.
    public var hasKey: Bool { part(.key) != nil }

    func part(_ part: BackupPart) -> Part? { parts.first { $0.name == part.rawValue } }

    /// Makes sure that a center of this kind and version can be made of it.
    ///
    /// - Parameter schema: the steps of the store's schema that this version knows.
    /// - Throws: `backup-of-another-kind`, `backup-newer`.
    public func requireRestorable(as kind: String, schema: [String] = CenterStore.knownSchema) throws(EpitopeError) {
        let known = hasStore ? schema : CenterStore.knownPostgresSchema
        guard version <= Self.currentVersion, Set(store.schema).isSubset(of: known) else { throw .backupNewer() }
        guard kind == self.kind else { throw .backupOfAnotherKind(self.kind, wanted: kind) }
    }

    /// Makes sure that the parts lie one after the other, are as many bytes as there are before the manifest, and none is missing.
    ///
    /// - Throws: `backup-damaged`.
    func requireWhole(path: String, length: Int64) throws(EpitopeError) {
        var place: Int64 = 0
        for part in parts {
            guard part.offset == place, part.bytes >= 0, part.bytes <= length - place else {
                throw .backupDamaged(path, "\(part.name) does not lie where it should")
            }
            place += part.bytes
        }
        guard place == length else { throw .backupDamaged(path, "it has bytes that belong to nothing") }
        for part in BackupPart.required + [hasStore ? .store : .location] where self.part(part) == nil {
            throw .backupDamaged(path, "\(part.rawValue) is missing")
        }
    }
}
