// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CenterAnalysis
import CenterStore
import EpitopeModel
import Glibc
import HostFrontEnd
import SettingsFiles

/// `move-store`: a center's store goes from its file into a PostgreSQL database.
struct CenterMoveStoreCommand<Kind: CenterKind>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "move-store",
            abstract: "Move the center's store from its file into the PostgreSQL database that the settings name.",
            discussion: """
                All of it goes there: packets, clusters, updates, withdrawals, who enrolled, who was revoked, tokens, the feed, events. Stop \
                the center first. The database must hold no center's work yet; it gets all or nothing. The file is kept, by another name, \
                and what the center serves from then on is the database: give `serve` these settings.
                """)
    }

    @OptionGroup var stateOptions: CenterStateOptions<Kind>

    @Option(help: ArgumentHelp("The settings, which name the database (store.postgresql).", valueName: "file"))
    var config: String

    func validate() throws {
        guard config != "" else { throw ValidationError("--config takes a path") }
    }

    func run() async throws {
        let lock = try stateOptions.lockForServing()
        guard let settings = try Kind.storeSettings(ofFile: config) else {
            throw EpitopeError(
                .configurationInvalid, "the settings in \(config) name no database", remedy: "set store.postgresql in them")
        }
        if try stateOptions.storeLocation.read() != nil {
            throw EpitopeError(
                .storeElsewhere, "this center's store is in PostgreSQL already", remedy: "serve it with settings that name the database")
        }
        let path = stateOptions.storePath
        guard access(path, F_OK) == 0 else {
            throw EpitopeError(
                .storeUnusable, "there is no store at \(path)",
                remedy: "give the center's state folder by --state; a center without a store is served with these settings as it is")
        }
        try MoveLock.takeAlone(in: stateOptions.directory)
        let counts = try await Self.copied(path, to: settings)
        // Written down last: until then a center with the former settings goes on with the file.
        _ = try await stateOptions.openDatabase(settings)
        let kept = Self.setAside(path)
        withExtendedLifetime(lock) {}
        Console.print(
            """
            moved \(counts.values.reduce(0, +)) rows into the database, \(counts["reports"] ?? 0) packets among them
            \(kept.map { "the file is kept as \($0): remove it once the center is well" } ?? "the file \(path) could not be renamed: it is not used any more")
            next: epitope \(Kind.name) serve --config \(config.quotedForShell), and Documentation/Operating/PostgreSQL.md for a second machine
            """)
    }

    /// Copies the file, which is closed when this returns.
    private static func copied(_ path: String, to settings: StoreSettings) async throws -> [String: Int] {
        let file = try CenterStore(path: path)
        let target = try CenterStore(postgresql: settings.postgresql, path: path)
        return try await file.copy(to: target) { table, rows in
            if rows > 0 { Console.log("\(table): \(rows) rows") }
        }
    }

    /// Renames the file with what belongs to it; the list of revocations goes on to be the center's.
    ///
    /// - Returns: its new name; `nil`: it could not be.
    private static func setAside(_ path: String) -> String? {
        // An earlier one is somebody's.
        guard let kept = (1...100).lazy.map({ path + ".moved" + ($0 == 1 ? "" : "-\($0)") }).first(where: { access($0, F_OK) != 0 }) else {
            return nil
        }
        for end in ["-wal", "-shm"] { _ = Glibc.rename(path + end, kept + end) }
        return Glibc.rename(path, kept) == 0 ? kept : nil
    }
}
