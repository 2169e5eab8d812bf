// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CenterBackup
import CenterStore
import EpitopeModel
import FileAccess
import Foundation
import HostFrontEnd
import SecureChannel

/// `backup`: a backup of a center, also while it serves.
struct CenterBackupCommand<Kind: CenterKind>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "backup",
            abstract: "Write all that a restore of the center needs to one file, also while it serves.",
            discussion: """
                In it are the store, the authority's certificate, the center's own certificate with its key\(
                    Kind.isForwarding ? ", its identity at the global center" : ""); the authority's key only with --with-key. \
                Not in it: settings, the goodware index, captures, rules. The file is as secret as the center.
                """)
    }

    @OptionGroup var stateOptions: CenterStateOptions<Kind>

    @Option(
        help: ArgumentHelp(
            "Where the backup goes: a file, which must not exist, or a folder, in which it is named by center and time.", valueName: "path")
    )
    var output: String

    @Flag(help: "Put the authority's key in, too: whoever has the file can make itself any host then.")
    var withKey = false

    func validate() throws { try requirePaths([("--output", output)]) }

    func run() async throws {
        let stop = StopRequest()
        let authorities = try stateOptions.loadAuthorities()
        guard try stateOptions.storeLocation.read() != nil || FileManager.default.fileExists(atPath: stateOptions.storePath) else {
            throw EpitopeError(
                .storeUnusable, "there is no store at \(stateOptions.storePath) to be backed up",
                remedy: "look at --state; where the store was lost, restore an earlier backup")
        }
        let store = try stateOptions.openStore()
        let begun = ChannelClock.system()
        let path = Self.path(output, nowMilliseconds: begun)
        let writer = BackupWriter(
            kind: Kind.name, folders: CenterFolders(ofState: stateOptions.directory), authorities: authorities, isWithKey: withKey,
            nowMilliseconds: begun)
        let display = ProgressDisplay()
        let manifest = try await writer.write(store, to: path) { (what, done, total) throws(EpitopeError) in
            guard !stop.isMade else { throw BackupWriter.stopped }
            display.show(what, done, total)
        }
        do {
            try await store.recordBackup(at: path, bytes: manifest.parts.reduce(0) { $0 + $1.bytes }, by: Person.name)
        } catch {
            // It is there, and where the center's disk is full it is needed.
            Console.log("note: the backup is made, and could not be noted in the audit log: \(error)")
        }
        Console.print("\(path): checked; \(BackupText.contents(of: manifest))")
        Console.print(BackupText.missing(in: manifest))
    }

    /// The file's path: in a folder a name of its own, by the millisecond.
    private static func path(_ output: String, nowMilliseconds: Int64) -> String {
        guard output.hasSuffix("/") || (try? FileStatus(path: output))?.kind == .folder else { return output }
        let time = Date(timeIntervalSince1970: Double(nowMilliseconds) / 1000).formatted(
            .iso8601.dateSeparator(.omitted).timeSeparator(.omitted).time(includingFractionalSeconds: true))
        return (output.hasSuffix("/") ? output : output + "/") + "\(Kind.name)-\(time).backup"
    }
}
