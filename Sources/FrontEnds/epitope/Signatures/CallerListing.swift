// SPDX-License-Identifier: Apache-2.0

import Disassembly
import EpitopeModel
import HostFrontEnd
import InputFiles

/// What a user has to choose from who gave code or a core dump without a caller's address.
struct CallerListing {
    /// An executable region that no file on a disk stands behind.
    struct Region: Encodable {
        var start: String
        var end: String
        var rights: String
        /// In bytes: how much of it the core dump holds.
        var stored: UInt64
        var what: String
    }

    /// A call that may be meant.
    struct Caller: Encodable {
        /// What `--caller` takes.
        var address: String
        var instruction: String
        /// The system call, where the code shows its number.
        var call: String?
        var reason: String
    }

    var path: String
    var architecture: Architecture
    var isCore: Bool
    var regions: [Region] = []
    var callers: [Caller]
    /// Of a file of code: the zeros at its end, and the bytes before them.
    var paddingBytes = 0
    var codeBytes = 0

    /// How many regions and calls are shown without `--all`.
    private static let maxShown = 40

    init(
        path: String, architecture: Architecture, callers: [ProposedCaller], isCore: Bool, paddingBytes: Int = 0, codeBytes: Int = 0
    ) {
        self.path = path
        self.architecture = architecture
        self.isCore = isCore
        self.paddingBytes = paddingBytes
        self.codeBytes = codeBytes
        // Critical calls before other system calls, and these before calls of functions: there are many of them in any code.
        let ranked = callers.map { (caller: $0, rank: CallNames.rank(of: $0.call, architecture)) }
            .sorted { ($0.caller.reason, $0.rank, $0.caller.address) < ($1.caller.reason, $1.rank, $1.caller.address) }.map(\.caller)
        self.callers = ranked.map {
            Caller(
                address: "0x" + String($0.address, radix: 16), instruction: $0.call.text, call: CallNames.name(of: $0.call, architecture),
                reason: CallNames.text(of: $0.reason))
        }
    }

    init(path: String, core: CoreDump, callers: [ProposedCaller]) {
        self.init(path: path, architecture: core.architecture, callers: callers, isCore: true)
        regions = core.unbackedCode.map { region in
            Region(
                start: "0x" + String(region.start, radix: 16), end: "0x" + String(region.end, radix: 16), rights: region.rights,
                stored: region.stored, what: region.file ?? "anonymous")
        }
        regions += core.changedImages.map { region in
            Region(
                start: "0x" + String(region.start, radix: 16), end: "0x" + String(region.end, radix: 16), rights: region.rights,
                stored: region.stored, what: "\(region.file ?? ""), of which the dump has all: it may have been written to")
        }
    }

    /// - Parameter all: whether all is listed.
    func text(all: Bool) -> String {
        var parts: [String] = []
        if isCore {
            parts.append("\(path), \(architecture.rawValue): executable memory that no file on a disk stands behind")
            parts.append(regions.isEmpty ? "  none" : table(regionRows, all: all))
        } else {
            let padding = paddingBytes > 0 ? ", then \(paddingBytes) zeros of padding" : ""
            parts.append("\(path), taken as \(architecture.rawValue): \(codeBytes) bytes\(padding)")
        }
        if !callers.isEmpty {
            parts.append("calls that may be meant, the likeliest first\n" + table(callerRows, all: all))
        } else if isCore, !regions.isEmpty, regions.allSatisfy({ $0.stored == 0 }) {
            parts.append("The dump holds none of this memory: make a whole one (gcore -o core PID), or see /proc/PID/coredump_filter")
        } else if !isCore || !regions.isEmpty {
            parts.append("there is no call in it" + (isCore ? "" : ": if it is of another architecture, give --architecture"))
        }
        parts.append(
            "The caller's address is the one right after the instruction that made the critical call:\n"
                + "after the syscall, or after the call into the library. Nothing was made: it has to be chosen.")
        if let first = callers.first { parts.append("  epitope extract \(path.quotedForShell) --caller \(first.address)") }
        return parts.joined(separator: "\n\n")
    }

    private var regionRows: [[String]] {
        [["region", "", "rights", "bytes in the dump", "what"]] + regions.map { [$0.start, $0.end, $0.rights, "\($0.stored)", $0.what] }
    }

    private var callerRows: [[String]] {
        [["--caller", "after", "", "why"]] + callers.map { [$0.address, $0.instruction, $0.call ?? "", $0.reason] }
    }

    private func table(_ rows: [[String]], all: Bool) -> String {
        let shown = all ? rows : Array(rows.prefix(Self.maxShown + 1))
        return Console.table(shown) + (rows.count > shown.count ? "\n\(rows.count - shown.count) more with --all" : "")
    }
}

/// As JSON: what `-o json` prints instead of candidates.
extension CallerListing: Encodable {
    private enum CodingKeys: String, CodingKey {
        case path, architecture, regions, callers
    }

    func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(path, forKey: .path)
        try values.encode(architecture, forKey: .architecture)
        try values.encode(regions, forKey: .regions)
        try values.encode(callers, forKey: .callers)
    }
}
