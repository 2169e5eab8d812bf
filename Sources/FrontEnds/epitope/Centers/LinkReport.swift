// SPDX-License-Identifier: Apache-2.0

import CenterStore
import EpitopeModel
import FileAccess
import Foundation
import HostFrontEnd
import HostPipeline
import LocalCenter
import SecureChannel

/// The file in a local center's state folder by which the process that serves tells how its link is.
struct LinkFile: Sendable {
    let path: String
    /// How much of it is read, in bytes.
    private static let maxBytes = 65536

    /// It is only for people: where it can't be written, the last one stays. After a crash of the machine it no longer holds.
    func write(_ status: LinkStatus) {
        guard let data = try? JSONEncoder().encode(status) else { return }
        try? AtomicFile.write(data, to: path, mode: 0o600, durably: false)
    }

    func read() -> LinkStatus? {
        (try? FileContents.bytes(path, maxBytes: Self.maxBytes)).flatMap { try? JSONDecoder().decode(LinkStatus.self, from: Data($0)) }
    }

    func remove() { unlink(path) }
}

extension CenterStateOptions {
    var linkFile: LinkFile { LinkFile(path: "\(directory)/link.json") }
}

/// A site's link to the global center, for `status`.
struct LinkReport: Encodable {
    /// Whether this site has an identity at a global center.
    var isLinked: Bool
    /// Whether a center runs here now.
    var isServing: Bool
    /// The global center's address, and this site's name there; absent where there is no link.
    var center: String?
    var site: String?
    /// When the global center last answered, in milliseconds since 1970; absent: it has not yet.
    var answeredMilliseconds: Int64?
    /// Why it fails now.
    var failures: [LinkStatus.Part: LinkStatus.Failure] = [:]
    /// Why the identity can't be used, or will not be for long.
    var problem: String?
    /// How many packets and updates wait to be sent, and how many of them for the quota.
    var waiting: Int
    var waitingForQuota: Int
    /// Whether the center that runs uses the link.
    private var isInUse = false

    private enum CodingKeys: String, CodingKey {
        case isLinked, isServing, center, site, answeredMilliseconds, failures, problem, waiting, waitingForQuota
    }

    init<Kind: CenterKind>(_ state: CenterStateOptions<Kind>, _ status: StatusReport) {
        isServing = StateFolderLock.isHeld(in: state.directory)
        waitingForQuota = Self.count(status, .waitingQuota)
        waiting = Self.count(status, .pending) + waitingForQuota
        let known = state.linkFile.read()
        do throws(EpitopeError) {
            // The folder may be another's by now, where the state was moved.
            var identity: StoredIdentity?
            if let known { identity = try StoredIdentity.loadIfEnrolled(from: known.directory) }
            if identity == nil { identity = try StoredIdentity.loadIfEnrolled(from: state.globalDirectory) }
            isLinked = identity != nil
            guard let identity else { return }
            center = identity.centers.description
            site = identity.subject.name
            problem = identity.outlook().warning(of: "this site's certificate at the global center")
            // What was said of another identity, before the site was linked again, is over.
            isInUse = known != nil
            guard let known, known.issuedMilliseconds == identity.issuedMilliseconds, known.center == center else { return }
            answeredMilliseconds = known.answeredMilliseconds
            failures = known.failures
        } catch {
            isLinked = true
            problem = "the identity at the global center can't be used: \(error.advisingSite)"
        }
    }

    private static func count(_ status: StatusReport, _ state: DeliveryState) -> Int {
        (status.forwards[state.rawValue] ?? 0) + (status.deliveries["\(DeliveryTarget.global.rawValue) \(state.rawValue)"] ?? 0)
    }

    /// In a line.
    var summary: String {
        guard isLinked else { return "not linked (epitope local-center link)" }
        var parts = [center.map { "\($0), as site \(site ?? "")" } ?? "linked, by an identity that can't be used"]
        if let first = failures.values.map(\.sinceMilliseconds).min() { parts.append("fails since \(Console.time(Double(first)))") }
        if let answeredMilliseconds {
            parts.append("answered last at \(Console.time(Double(answeredMilliseconds)))")
        } else if center != nil {
            parts.append("has not answered yet")
        }
        parts.append(waiting == 0 ? "nothing waits to be sent" : "\(waiting) wait to be sent, \(waitingForQuota) of them for the quota")
        if !isServing {
            parts.append("this center does not run")
        } else if center != nil, !isInUse {
            parts.append("the center that runs has no link: restart it")
        }
        return parts.joined(separator: "; ")
    }

    /// What somebody should look at, each with what to do.
    var warnings: [String] {
        var told: Set<String> = []
        let failing = failures.sorted { $0.key.rawValue < $1.key.rawValue }.map(\.value).filter { told.insert($0.code).inserted }
        return failing.map { failure in
            "the link to the global center fails: \(failure.message.printable) [\(failure.code.printable)] "
                + "(\(failure.attempts) \(failure.attempts == 1 ? "attempt" : "attempts"), the last at \(Console.time(Double(failure.latestMilliseconds))))\n"
                + "  what to do: \(failure.remedy.printable)"
        } + (problem.map { [$0] } ?? [])
    }
}

/// A center's status as JSON, with the link among its keys, and whether a process serves from the folder.
struct StatusWithLink: Encodable {
    var status: StatusReport
    var isServing: Bool
    var link: LinkReport?

    private enum CodingKeys: String, CodingKey { case isServing, link }

    func encode(to encoder: any Encoder) throws {
        try status.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(isServing, forKey: .isServing)
        try container.encodeIfPresent(link, forKey: .link)
    }
}
