// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import EpitopeModel
import Foundation
import TestSupport

/// A program that changes its own code, or whose code debuggers, probes, the loader or a packer change (`own-code`), and what becomes of
/// its call where hooks deny. The programs lie beside this one: `own-code`, `own-code-relocated`, `own-code-packed`.
struct OwnCode: CustomStringConvertible {
    enum Outcome {
        /// It passes, and nobody is told.
        case unseen
        /// It passes, and is reported.
        case reported(EvidenceKind)
        case blocked(EvidenceKind)
    }

    /// A probe of the kernel in the program.
    struct Probe {
        var symbol: String
        var distance: UInt64 = 0
    }

    var program = "own-code"
    var arguments: [String]
    var outcome: Outcome
    var probe: Probe?

    static let cases: [OwnCode] =
        ["plain", "breakpoint", "restored", "copied", "traced"].map { OwnCode(arguments: [$0], outcome: .unseen) }
        + ["adjacent", "code", "over-code", "writable"].map { OwnCode(arguments: [$0], outcome: .blocked(.writtenImagePage)) }
        + [OwnCode(arguments: ["copied-changed"], outcome: .blocked(.libraryCall))]
        + ["plain", "breakpoint"].map { OwnCode(program: "own-code-relocated", arguments: [$0], outcome: .unseen) }
        + [OwnCode(program: "own-code-relocated", arguments: ["code"], outcome: .blocked(.writtenImagePage))]
        + [["plain"], ["plain", "child"]].map {
            OwnCode(program: "own-code-packed", arguments: $0, outcome: .reported(.packedProgram))
        }
        + ["over-code", "data", "anonymous"].flatMap { way in
            ["first", "child"].map {
                OwnCode(program: "own-code-packed", arguments: [way, $0], outcome: .blocked(.directCall))
            }
        }
        // A page that was written is what has the process looked at; the probe is in the same page.
        + [("main", 0), ("calling", 0), ("calling", 4), ("unused", 0)].map { symbol, distance in
            OwnCode(arguments: ["restored"], outcome: .unseen, probe: Probe(symbol: symbol, distance: distance))
        }
        + [OwnCode(arguments: ["over-code"], outcome: .blocked(.writtenImagePage), probe: Probe(symbol: "calling"))]

    var description: String {
        ([program] + arguments + (probe.map { ["probed at \($0.symbol)+\($0.distance)"] } ?? [])).joined(separator: " ")
    }

    func run() async throws -> Command {
        let path = Fixtures.path(program)
        let probes = try probe.map { probe in
            let probes = try KernelProbes()
            try probes.set("p", path, at: try Self.place(of: probe.symbol, in: path) + probe.distance)
            return probes
        }
        defer { withExtendedLifetime(probes) {} }
        return try await Command.run(path, arguments, environment: Fixtures.environment)
    }

    /// The place of a function in a program's file, by the list that lies beside it.
    private static func place(of symbol: String, in path: String) throws -> UInt64 {
        let symbols = try String(contentsOfFile: "\(path).symbols", encoding: .utf8)
        guard let line = symbols.split(separator: "\n").first(where: { $0.hasPrefix("\(symbol) ") }),
            let offset = line.split(separator: " ").last.flatMap({ UInt64($0) })
        else { throw POSIXError(.ENOENT) }
        return offset
    }

    /// The problems of a run, with the reports that were made of it.
    func problems(_ run: Command, _ reports: [Detection]) -> [String] {
        var problems: [String] = []
        let kinds = reports.map { $0.evidence.first?.kind }
        let last = reports.last
        switch outcome {
        case .unseen:
            if run.output != "connected\n" { problems.append("output: \(run.output)\(run.errors)") }
            if !reports.isEmpty { problems.append("evidence \(reports.map(\.evidence))") }
        case .reported(let kind):
            if run.output != "connected\n" { problems.append("output: \(run.output)\(run.errors)") }
            if kinds.isEmpty || !kinds.allSatisfy({ $0 == kind }) { problems.append("evidence \(reports.map(\.evidence))") }
            if reports.contains(where: { $0.action != .watched }) { problems.append("actions \(reports.map(\.action))") }
        case .blocked(let kind):
            if !run.output.hasPrefix("refused ") { problems.append("output: \(run.output)\(run.errors)") }
            if last?.evidence.first?.kind != kind || last?.action != .blocked {
                problems.append("evidence \(reports.map(\.evidence)), actions \(reports.map(\.action))")
            }
        }
        return problems
    }
}
