// SPDX-License-Identifier: Apache-2.0

import CenterBackup
import CenterStore
import EpitopeModel
import HostFrontEnd
import Signatures
import Synchronization

/// What is said of backups.
enum BackupText {
    static func contents(of manifest: BackupManifest) -> String {
        let bytes = manifest.parts.reduce(0) { $0 + $1.bytes }
        return
            "\(manifest.kind), \(Console.time(Double(manifest.madeMilliseconds))), \(bytes) bytes, \(manifest.store.reports) reports, "
            + "\(manifest.store.revocations) revocations, feed up to \(manifest.store.feedEnd.sequence)\n"
            + "  authority \(manifest.authority)\n  parts: \(manifest.parts.map(\.name).joined(separator: ", "))"
    }

    static func missing(in manifest: BackupManifest) -> String {
        let key =
            manifest.hasKey
            ? "the authority's key is in it: whoever has the file can make itself any host"
            : "not in it: the authority's key (--with-key). Without a copy of STATE.key every host has to be enrolled again"
        let store = manifest.hasStore ? "" : "the store, which PostgreSQL keeps (pg_basebackup or pg_dump); "
        return key + "; not in it: " + store + "settings, goodware index, captures, rules file"
    }

    /// What a person has to know, and to do, after a restore.
    ///
    /// - Parameter revoke: the command.
    static func advice(
        on outcome: BackupRestorer.Outcome, madeMilliseconds: Int64, hasStore: Bool = true, hasList: Bool, keyFolder: String,
        revoke: String, isGlobal: Bool
    ) -> [String] {
        let time = Console.time(Double(madeMilliseconds))
        let (revoked, dropped) = (outcome.recovery.revoked, outcome.recovery.droppedTokens)
        var lines: [String] = []
        if !hasStore {
            lines.append(
                "the store is in PostgreSQL, and is as it is there: this center serves beside others over the same database. Its own "
                    + "certificate names the other machine: give it this one's addresses by `renew`, where they are others")
            return lines + [keyLine(outcome.key, keyFolder)]
        }
        if hasList {
            let names = revoked.isEmpty ? "" : ": " + revoked.map { "\($0.role.rawValue) \($0.name)" }.joined(separator: ", ")
            lines.append("revoked after the backup, by the list: \(revoked.count)\(names)")
        } else {
            lines.append(
                "WARNING: who was revoked after \(time) is not, and gets in again. Where the old disk is there, remove this folder and "
                    + "restore with --revocations OLD-STATE/center.sqlite-revocations; else before you serve: \(revoke)")
        }
        if dropped > 0 { lines.append("tokens that were not used are good no more: \(dropped); make new ones") }
        lines.append(
            "who enrolled after \(time) gets in by the certificate that it has, and is in `peers` once it has; what was withdrawn, "
                + "reinstated\(isGlobal ? ", trusted" : "") after it has to be so again, best before you serve")
        return lines + [keyLine(outcome.key, keyFolder)]
    }

    private static func keyLine(_ key: BackupRestorer.Outcome.Key, _ folder: String) -> String {
        switch key {
        case .restored: "the authority's key is in \(folder)"
        case .present: "the authority's key was in \(folder) already"
        case .later: "in \(folder) is an authority that was made, or took the other's place, after the backup: this center has it, too"
        case .withoutNext:
            "WARNING: in \(folder) is the key of the authority, and not that of the one that is to follow: until you put both there, "
                + "no certificate of the next can be issued"
        case .missing:
            "the authority's key is missing: put authority-key.pem and authority.pem into \(folder) (mode 0700, files 0600) before you serve"
        }
    }
}

/// How far something is, on standard error: the first line after two seconds, the next ones every two.
final class ProgressDisplay: Sendable {
    private static let interval = Duration.seconds(2)
    private let shown = Mutex(ContinuousClock.now)

    func show(_ what: String, _ done: Int64, _ total: Int64) {
        let isDue = shown.withLock { shown in
            guard ContinuousClock.now - shown >= Self.interval else { return false }
            shown = .now
            return true
        }
        if isDue { Console.log("\(what): \(done >> 20) of \(total >> 20) MiB") }
    }
}
