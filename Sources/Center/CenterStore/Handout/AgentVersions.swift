// SPDX-License-Identifier: Apache-2.0

import Crypto
public import EpitopeModel
public import FoundationEssentials
import GRDB
public import SecureChannel

extension EpitopeError.Code {
    /// There are as many versions for hosts as a center keeps.
    public static let agentsFull = EpitopeError.Code("agents-full")
    /// The version is the one that hosts are to run.
    public static let agentInUse = EpitopeError.Code("agent-in-use")
    /// Another program of that version was added before.
    public static let agentExists = EpitopeError.Code("agent-exists")
}

/// A version of the host's application that a center has.
public struct StoredAgentVersion: Hashable, Sendable {
    public var architecture: AgentArchitecture
    public var version: AgentVersion
    public var files: [AgentManifest.File]
    public var addedMilliseconds: Int64
}

extension CenterStore {
    /// Of one architecture. What hosts run, what they ran before, and some to go back to.
    public static let maxAgentVersions = 8
    private static let partsAtOnce = 8

    /// The versions that can be handed out, the latest last.
    public func agentVersions() async throws(EpitopeError) -> [StoredAgentVersion] { try await snapshot { try $0.agentVersions() } }

    /// Stores a version of the host's application. What is there of an attempt that was cut short is used, or removed.
    ///
    /// - Parameters:
    ///   - files: with each, its content.
    ///   - person: who does it, for the audit trail.
    /// - Throws: `agents-full`, `agent-exists`, `agent-manifest-malformed`, `disk-full`.
    /// - Returns: whether it is new here.
    @discardableResult
    public func addAgent(
        _ version: AgentVersion, for architecture: AgentArchitecture, files: [(file: AgentManifest.File, content: Data)], by person: String
    ) async throws(EpitopeError) -> Bool {
        let described = files.map(\.file)
        try AgentManifest(number: 1, kind: .update, version: version, architecture: architecture, files: described).check()
        _ = try await snapshot { try $0.requireRoom(for: version, architecture, described) }
        for _ in 0..<Self.addAttempts {
            try await storeParts(of: files)
            let isNew = try await transaction { transaction -> Bool? in
                let isNew = try transaction.requireRoom(for: version, architecture, described)
                // Another command that ended meanwhile has removed what no version had yet.
                guard try described.allSatisfy({ try transaction.missingParts(of: $0).isEmpty }) else { return nil }
                guard isNew else { return false }
                try transaction.db.execute(
                    sql: "INSERT INTO agent_versions (architecture, version, files, added_ms) VALUES (?, ?, ?, ?)",
                    arguments: [
                        architecture.rawValue, version.description, StoredAgentVersion.text(of: described), transaction.nowMilliseconds,
                    ])
                try transaction.record(.agentAdded, version.description, "for \(architecture.rawValue), by \(person)")
                try transaction.removeUnusedParts()
                return true
            }
            if let isNew { return isNew }
        }
        throw EpitopeError(
            .storeBusy, "other versions are added or removed at the same time", remedy: "add this one again when that is done")
    }

    /// Each time another command that adds or removes a version has ended.
    private static let addAttempts = 5

    /// Stores what isn't there of the programs.
    private func storeParts(of files: [(file: AgentManifest.File, content: Data)]) async throws(EpitopeError) {
        for (file, content) in files {
            let missing = try await snapshot { try $0.missingParts(of: file) }
            // Some parts a transaction: a center that serves from the same store writes in between.
            for first in stride(from: 0, to: missing.count, by: Self.partsAtOnce) {
                try await transaction { transaction in
                    for part in missing[first..<min(first + Self.partsAtOnce, missing.count)] {
                        let begin = content.startIndex + part * AgentManifest.partBytes
                        let bytes = Data(content[begin..<min(begin + AgentManifest.partBytes, content.endIndex)])
                        try transaction.db.execute(
                            sql: """
                                INSERT INTO agent_parts (sha256, part, bytes) VALUES (?, ?, ?)
                                ON CONFLICT (sha256, part) DO UPDATE SET bytes = excluded.bytes
                                """, arguments: [file.sha256, part, bytes])
                    }
                }
            }
        }
    }

    /// Removes a version.
    ///
    /// - Throws: `agent-unknown`, `agent-in-use` for the one that hosts were last told to run.
    public func removeAgent(_ version: AgentVersion, for architecture: AgentArchitecture, by person: String) async throws(EpitopeError) {
        try await transaction { transaction in
            guard try transaction.agentVersion(version, architecture) != nil else {
                throw HandoutErrors.unknown("version \(version) for \(architecture.rawValue)")
            }
            guard try transaction.latestOrder(for: architecture)?.version != version else {
                throw EpitopeError(
                    .agentInUse, "version \(version) is the one that hosts are to run",
                    remedy: "order another one first: `epitope local-center agents order VERSION`")
            }
            try transaction.db.execute(
                sql: "DELETE FROM agent_versions WHERE architecture = ? AND version = ?",
                arguments: [architecture.rawValue, version.description])
            try transaction.removeUnusedParts()
            try transaction.record(.agentRemoved, version.description, "for \(architecture.rawValue), by \(person)")
        }
    }

    /// A part of a file that is handed out; `nil`: there is none such.
    public func agentPart(_ number: Int, of sha256: String) async throws(EpitopeError) -> [UInt8]? {
        try await snapshot { transaction in
            try Data.fetchOne(
                transaction.db, sql: "SELECT bytes FROM agent_parts WHERE sha256 = ? AND part = ?", arguments: [sha256, number]
            ).map { Array($0) }
        }
    }
}

extension StoreTransaction {
    func agentVersions() throws -> [StoredAgentVersion] {
        try Row.fetchAll(db, sql: "SELECT architecture, version, files, added_ms FROM agent_versions").compactMap(StoredAgentVersion.init)
            .sorted { ($0.architecture.rawValue, $0.version) < ($1.architecture.rawValue, $1.version) }
    }

    func agentVersion(_ version: AgentVersion, _ architecture: AgentArchitecture) throws -> StoredAgentVersion? {
        try Row.fetchOne(
            db, sql: "SELECT architecture, version, files, added_ms FROM agent_versions WHERE architecture = ? AND version = ?",
            arguments: [architecture.rawValue, version.description]
        ).flatMap(StoredAgentVersion.init)
    }

    /// The parts of a program that are not there, or are shorter or longer than they must be.
    func missingParts(of file: AgentManifest.File) throws -> [Int] {
        var there: [Int: Int] = [:]
        for row in try Row.fetchAll(
            db, sql: "SELECT part, length(bytes) AS size FROM agent_parts WHERE sha256 = ?", arguments: [file.sha256])
        {
            there[Int(row["part"] as Int64)] = Int(row["size"] as Int64)
        }
        return (0..<file.parts).filter { part in
            there[part] != min(AgentManifest.partBytes, file.size - part * AgentManifest.partBytes)
        }
    }

    /// - Returns: `false` where that very version is there.
    fileprivate func requireRoom(
        for version: AgentVersion, _ architecture: AgentArchitecture, _ files: [AgentManifest.File]
    ) throws -> Bool {
        if let there = try agentVersion(version, architecture) {
            guard there.files == files else {
                throw EpitopeError(
                    .agentExists, "version \(version) for \(architecture.rawValue) is there, with other programs",
                    remedy: "a version's programs never change: build the new ones with a version of their own, or remove that one first")
            }
            return false
        }
        let count = try agentVersions().count { $0.architecture == architecture }
        guard count < CenterStore.maxAgentVersions else {
            throw EpitopeError(
                .agentsFull, "there are \(count) versions for \(architecture.rawValue), as many as a center keeps",
                remedy: "remove one that no host needs: `epitope local-center agents remove VERSION`")
        }
        return true
    }

    /// Removes the parts of programs that no version has.
    fileprivate func removeUnusedParts() throws {
        let used = Set(try agentVersions().flatMap { $0.files.map(\.sha256) })
        for sha256 in try String.fetchAll(db, sql: "SELECT DISTINCT sha256 FROM agent_parts") where !used.contains(sha256) {
            try db.execute(sql: "DELETE FROM agent_parts WHERE sha256 = ?", arguments: [sha256])
        }
    }
}

extension StoredAgentVersion {
    static func text(of files: [AgentManifest.File]) -> String {
        files.map { "\($0.name) \($0.size) \($0.sha256)" }.joined(separator: "\n")
    }

    /// - Returns: `nil` for a row that only a later version understands.
    fileprivate init?(_ row: Row) {
        guard let architecture = AgentArchitecture(rawValue: row["architecture"]), let version = AgentVersion(row["version"] as String)
        else {
            return nil
        }
        let files = (row["files"] as String).split(separator: "\n").compactMap { line -> AgentManifest.File? in
            let words = line.split(separator: " ")
            guard words.count == 3, let size = Int(words[1]) else { return nil }
            return AgentManifest.File(name: String(words[0]), size: size, sha256: String(words[2]))
        }
        self.init(architecture: architecture, version: version, files: files, addedMilliseconds: row["added_ms"])
    }
}
