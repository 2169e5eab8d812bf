// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CenterStore
import EpitopeModel
import FileAccess
import Foundation
import HostFrontEnd

/// `audit`: who did what when, as a chain of hashes.
struct CenterAuditCommand<Kind: CenterKind>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "audit", abstract: "Show, check or export the audit log: who did what when.",
            discussion: """
                Each entry holds the hash of the one before, so that none can be changed or removed without all after it being made anew. Who \
                can write to the store can do that: note the head that `verify` prints elsewhere from time to time, and check against it.
                """,
            subcommands: [AuditListCommand<Kind>.self, AuditVerifyCommand<Kind>.self, AuditExportCommand<Kind>.self])
    }
}

/// `audit list`.
struct AuditListCommand<Kind: CenterKind>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(commandName: "list", abstract: "Show the latest entries.")
    }

    @OptionGroup var stateOptions: CenterStateOptions<Kind>

    @Option(help: ArgumentHelp("Only what was done by whom this is part of: 'center', 'user alice', 'host web-1'.", valueName: "text"))
    var by: String?

    @Option(help: ArgumentHelp("Only entries of this action, such as withdrawn.", valueName: "word"))
    var action: String?

    @Option(help: ArgumentHelp("Only entries about this id or name.", valueName: "text"))
    var subject: String?

    @Option(parsing: .unconditional, help: ArgumentHelp("So many of the latest, 1 to 1000000.", valueName: "count"))
    var limit = 100

    @Flag(help: "As JSON.")
    var json = false

    func validate() throws {
        guard (1...1_000_000).contains(limit) else { throw ValidationError("--limit takes 1 to 1000000") }
        guard action.map({ CenterEvent.Step(rawValue: $0)?.isAudited == true }) ?? true else {
            let words = CenterEvent.Step.allCases.filter(\.isAudited).map(\.rawValue).sorted()
            throw ValidationError("--action takes one of: \(words.joined(separator: ", "))")
        }
    }

    func run() async throws {
        let store = try stateOptions.openStore()
        var search = AuditSearch()
        (search.actor, search.action, search.subject, search.limit) = (by, action, subject, limit)
        let entries = try await store.auditEntries(search)
        guard !json else { return Console.print(try Console.json(entries.map(AuditRow.init))) }
        Console.print(
            Console.table(
                [["number", "time", "who", "action", "subject", "detail"]]
                    + entries.map { entry in
                        [
                            "\(entry.sequence)", Console.time(Double(entry.timeMilliseconds)), entry.actor, entry.action, entry.subject,
                            entry.detail,
                        ]
                    }))
    }
}

/// An entry as `--json` shows it.
private struct AuditRow: Encodable {
    var sequence: Int64
    var timeMilliseconds: Int64
    var actor: String
    var action: String
    var subject: String
    var detail: String
    var hash: String

    init(_ entry: AuditEntry) {
        (sequence, timeMilliseconds) = (entry.sequence, entry.timeMilliseconds)
        (actor, action, subject, detail) = (entry.actor, entry.action, entry.subject, entry.detail)
        hash = entry.hash.description
    }
}

/// `audit verify`.
struct AuditVerifyCommand<Kind: CenterKind>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "verify", abstract: "Check the chain, and say where it breaks.",
            discussion: """
                Without a file the log of the center's store is checked, with one a file that `audit export` wrote, on any machine. Printed is \
                the head, NUMBER:HASH, which stands for all entries up to it: note it where nobody who can write to the store can change it.
                """)
    }

    @OptionGroup var stateOptions: CenterStateOptions<Kind>

    @Argument(help: "A file that `audit export` wrote.", completion: .file())
    var file: String?

    @Option(help: ArgumentHelp("A head that was noted earlier, which must be in the chain.", valueName: "number:hash"))
    var head: String?

    @Flag(help: "As JSON.")
    var json = false

    func validate() throws {
        guard head.map({ AuditHead($0) != nil }) ?? true else {
            throw ValidationError("--head takes NUMBER:HASH, as `audit verify` prints it")
        }
        guard file != "" else { throw ValidationError("give the file's path") }
    }

    func run() async throws {
        let noted = head.flatMap { AuditHead($0) }
        let found: AuditVerification
        if let file {
            found = try AuditFile(path: file).verify(noted: noted)
        } else {
            found = try await stateOptions.openStore().verifyAudit(noted: noted)
        }
        if json { Console.print(try Console.json(Outcome(found))) } else { Self.show(found, isCompared: noted != nil) }
        guard let broken = found.broken else { return }
        throw EpitopeError(
            .auditBroken, "the audit log of \(file ?? stateOptions.directory) is broken \(broken)",
            remedy: "keep the store and its backups as they are, and find out who could write to it; what stands before the break is whole")
    }

    private static func show(_ found: AuditVerification, isCompared: Bool) {
        guard found.broken == nil else {
            if found.head.sequence > 0 {
                Console.print("whole up to entry \(found.head.sequence) of \(Console.time(Double(found.headMilliseconds)))")
            }
            return
        }
        let removed = found.first > 1 ? "; entries 1 to \(found.first - 1) are not in it, by a checkpoint or the head" : ""
        Console.print("whole: \(found.entries) entries\(removed)" + (isCompared ? "; the head that was given is in it" : ""))
        Console.print("head: \(found.head)")
    }

    private struct Outcome: Encodable {
        var isWhole: Bool
        var entries: Int64
        var first: Int64
        var head: String
        var broken: String?

        init(_ found: AuditVerification) {
            (isWhole, entries, first) = (found.broken == nil, found.entries, found.first)
            (head, broken) = (found.head.description, found.broken?.description)
        }
    }
}

/// `audit export`.
struct AuditExportCommand<Kind: CenterKind>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "export", abstract: "Write the log to a file, as lines of JSON that can be checked away from the center.")
    }

    @OptionGroup var stateOptions: CenterStateOptions<Kind>

    @Argument(help: "The file, which must not exist.", completion: .file())
    var file: String

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Only entries after this one: its head is needed then to check them.", valueName: "number"))
    var after: Int64 = 0

    func validate() throws {
        guard file != "" else { throw ValidationError("give the file's path") }
        guard after >= 0 else { throw ValidationError("--after takes an entry's number") }
    }

    func run() async throws {
        let store = try stateOptions.openStore()
        let head = try await AuditFile(path: file).write(from: store, after: after)
        Console.print("\(file): entries up to \(head.sequence)")
        Console.print("head: \(head)")
    }
}
