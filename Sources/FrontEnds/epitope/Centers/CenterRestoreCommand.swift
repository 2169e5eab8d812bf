// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CenterBackup
import CenterStore
import EpitopeModel
import FileAccess
import Foundation
import HostFrontEnd

/// `restore`: a center made of a backup.
struct CenterRestoreCommand<Kind: CenterKind>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "restore", abstract: "Make a center of a backup, in a state folder that does not exist or is empty.",
            discussion: """
                What was decided after the backup is not in it: --revocations takes the revocations from the list beside the lost store; \
                tokens that were not used then are good no more. --check restores nothing.
                """)
    }

    @OptionGroup var stateOptions: CenterStateOptions<Kind>

    @Option(help: ArgumentHelp("The backup.", valueName: "file"))
    var from: String

    @Option(
        help: ArgumentHelp(
            "The list of revocations of the lost center: STATE/center.sqlite-revocations on its disk; may be repeated.", valueName: "file"))
    var revocations: [String] = []

    @Flag(help: "Only look whether the backup is whole and can be restored by this version, and say what is in it.")
    var check = false

    func validate() throws { try requirePaths([("--from", from)] + revocations.map { ("--revocations", $0) }) }

    func run() async throws {
        let stop = StopRequest()
        let display = ProgressDisplay()
        let progress: BackupWriter.Progress = { (what, done, total) throws(EpitopeError) in
            guard !stop.isMade else { throw BackupWriter.stopped }
            display.show(what, done, total)
        }
        let backup = try BackupFile(path: from)
        guard !check else {
            try backup.manifest.requireRestorable(as: Kind.name)
            try backup.verify { (done, total) throws(EpitopeError) in try progress("checked", done, total) }
            Console.print("\(from): whole; \(BackupText.contents(of: backup.manifest))")
            return Console.print(BackupText.missing(in: backup.manifest))
        }
        let listed = try revocations.flatMap(Self.read)
        let folders = CenterFolders(newState: stateOptions.directory)
        let outcome = try await BackupRestorer(backup, to: folders).restore(
            as: Kind.name, revocations: listed, by: Person.name, actor: Person.actor, progress: progress)
        _ = try StateFolderLock(in: stateOptions.directory, kind: Kind.name)
        StateOwner.giveContents(of: stateOptions.directory)
        let state = stateOptions.state.map { " --state \($0.quotedForShell)" } ?? ""
        Console.print("restored to \(stateOptions.directory): \(BackupText.contents(of: backup.manifest))")
        let command = "epitope \(Kind.name)"
        for line in BackupText.advice(
            on: outcome, madeMilliseconds: backup.manifest.madeMilliseconds, hasStore: backup.manifest.hasStore,
            hasList: !revocations.isEmpty, keyFolder: folders.key,
            revoke: "\(command) revoke\(state) \(Kind.servesCenters ? "--site NAME (or --host NAME)" : "--host NAME") --unknown",
            isGlobal: Kind.servesCenters)
        {
            Console.print(line)
        }
        Console.print("next: \(command) serve\(state)")
    }

    private static func read(_ path: String) throws -> [Revocation] {
        guard FileManager.default.fileExists(atPath: path) else {
            throw EpitopeError(
                .revocationsUnreadable, "there is no list of revocations at \(path)",
                remedy: "it lies beside the lost store, as center.sqlite-revocations; where nobody was ever revoked there is none: "
                    + "leave the option out")
        }
        do {
            let (found, unreadable) = try RevocationList(path: path).read()
            guard !found.isEmpty || unreadable == 0 else {
                throw EpitopeError(
                    .revocationsUnreadable, "\(path) is not a list of revocations",
                    remedy: "give center.sqlite-revocations of the lost center's state folder")
            }
            if unreadable > 0 {
                Console.log("warning: \(unreadable) of the lines of \(path) can't be read: look whom they are about, and revoke them")
            }
            return found
        } catch let error as FileError {
            throw EpitopeError(
                .revocationsUnreadable, "could not read \(path): \(error)", remedy: "look at the file's owner and rights")
        }
    }
}

extension EpitopeError.Code {
    /// The list of revocations that was given can't be read.
    static let revocationsUnreadable = EpitopeError.Code("revocations-unreadable")
}
