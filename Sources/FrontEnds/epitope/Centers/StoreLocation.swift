// SPDX-License-Identifier: Apache-2.0

import CenterAnalysis
import CenterStore
import EpitopeModel
import FileAccess
import Foundation
import SecureChannel
import SettingsFiles
import SettingsYAML

/// Where a center's store lies, written into the state folder for commands beside the center, which read no settings: `store.json`,
/// where it is in PostgreSQL.
struct StoreLocation {
    private let path: String

    init(inState directory: String) { path = "\(directory)/store.json" }

    /// What the settings of who served here last said; `nil`: the store is a file in the folder.
    ///
    /// - Throws: `configuration-missing`, `configuration-invalid`.
    func read() throws(EpitopeError) -> StoreSettings? {
        guard access(path, F_OK) == 0 else { return nil }
        return try LoadedSettings<StoreSettings>.required(from: SettingsSource(file: path)).settings
    }

    /// - Throws: `disk-full`, `store-failed`.
    func write(_ settings: StoreSettings) throws(EpitopeError) {
        guard (try? read()) != settings else { return }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        do {
            try AtomicFile.write(Array(try encoder.encode(settings)) + [UInt8(ascii: "\n")], to: path, mode: 0o600)
        } catch {
            throw EpitopeError(
                .storeFailed, "\(path) can't be written: \(error)",
                remedy: "make room on its disk, or give the center's user the right to write there")
        }
    }

    /// Makes sure that a center serves from the store that it served from before.
    ///
    /// - Parameters:
    ///   - file: the store's file.
    ///   - kind: the center's, as its commands name it.
    /// - Throws: `store-elsewhere`.
    func require(_ settings: StoreSettings?, file: String, kind: String) async throws {
        let before = try read()
        guard let settings else {
            guard before == nil else {
                throw EpitopeError(
                    .storeElsewhere, "this center's store is in PostgreSQL (\(path)), and the settings don't name it",
                    remedy: "serve with --config and settings that have store.postgresql, as before; to begin anew with a file, "
                        + "which has forgotten everything, move \(path) away")
            }
            return
        }
        guard before == nil, access(file, F_OK) == 0 else { return }
        let store = try CenterStore(path: file, isServed: true)
        guard try await store.enrolledPeers().isEmpty, try await store.status(events: 1).reports.isEmpty else {
            throw EpitopeError(
                .storeElsewhere, "the settings name a PostgreSQL database (\(settings.postgresql)), and the center has a store in \(file)",
                remedy:
                    "move it there with everything in it (`epitope \(kind) move-store`), or leave store.postgresql out to go on with the file"
            )
        }
    }
}

extension EpitopeError.Code {
    /// The store that is named is not the one that the center has served from.
    static let storeElsewhere = EpitopeError.Code("store-elsewhere")
}
