// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
package import HostPipeline
import HostStore
import SecureChannel

/// The state of a host, for `epitope host status` and for scripts.
package struct HostStatusReport: Codable, Hashable, Sendable {
    /// What a host has of one center.
    package struct Center: Codable, Hashable, Sendable {
        package var destination: String
        /// The next three are absent where the host is not enrolled.
        package var address: String?
        package var name: String?
        package var certificateUntil: EventTime?
        package var packetsWaiting: Int
        /// The center's last answer, if it was not one of success since: it refuses this host, or can't be reached.
        package var problem: Problem?
    }

    /// Something that somebody should look at.
    package struct Problem: Codable, Hashable, Sendable {
        package var code: String
        package var message: String
        /// When it was seen; absent for what is so now.
        package var time: EventTime?
    }

    /// A packet that a center refused for good.
    package struct Refused: Codable, Hashable, Sendable {
        package var packet: String
        package var destination: String
        package var code: String
        package var message: String
        package var time: EventTime
    }

    package var directory: String
    package var centers: [Center]
    /// How often each outcome occurred today (UTC).
    package var today: [String: Int]
    /// How many packets wait for the quota, and when it allows the next.
    package var waitingForQuota: Int
    package var quotaFrees: EventTime?
    /// Bytes of packets that were put on the link to the centers today (UTC), where it has a budget.
    package var linkBytesToday: Int?
    package var refused: [Refused]
    package var problems: [Problem]

    /// Looks at a state folder, in which it makes nothing.
    ///
    /// - Throws: `host-state-missing`, and the errors of `StoredIdentity` and `HostStore`.
    package init(_ stateOptions: HostStateOptions) async throws {
        try stateOptions.requireDirectory()
        directory = stateOptions.directory
        let history = EventHistory(directory: directory)
        problems = stateOptions.openness.map { [Problem(code: $0.code.rawValue, message: $0.message)] } ?? []
        // What can't be used is a problem, and what else there is to say is said.
        var store: HostStore?
        if access("\(directory)/\(HostStore.fileName)", F_OK) == 0 {
            do throws(EpitopeError) {
                store = try HostStore(directory: directory)
            } catch {
                problems.append(Problem(error))
            }
        }
        centers = []
        for destination in Destination.allCases {
            var stored: StoredIdentity?
            do throws(EpitopeError) {
                stored = try StoredIdentity.loadIfEnrolled(from: stateOptions.identityDirectory(destination.rawValue))
            } catch {
                problems.append(Problem(error))
            }
            if let warning = stored?.outlook().warning(of: "the certificate for the \(destination.rawValue) center") {
                problems.append(Problem(code: EpitopeError.Code.certificateExpired.rawValue, message: warning))
            }
            centers.append(
                Center(
                    destination: destination.rawValue, address: stored?.centers.description, name: stored?.subject.name,
                    certificateUntil: stored.map { EventTime(milliseconds: $0.expiresMilliseconds) },
                    packetsWaiting: try await store?.waiting(for: destination) ?? 0,
                    problem: stored.flatMap { Self.problem(history.refusals[destination.rawValue], since: $0) }))
        }
        today = try await store?.outcomes(day: EventLog.now().milliseconds / Duration.days(1).inMilliseconds) ?? [:]
        waitingForQuota = try await store?.held() ?? 0
        quotaFrees = try await store?.nextRelease(nowMilliseconds: EventLog.now().milliseconds).map { EventTime(milliseconds: $0) }
        linkBytesToday = try await store?.linkBytes(nowMilliseconds: EventLog.now().milliseconds).nonZero
        refused =
            try await store?.refusedPackets().map {
                Refused(
                    packet: $0.packetID, destination: $0.destination.rawValue, code: $0.code, message: $0.message,
                    time: EventTime(milliseconds: $0.timeMilliseconds))
            } ?? []
    }

    /// What a center said last; not what it said of an earlier enrolment.
    private static func problem(_ event: HostEvent?, since identity: StoredIdentity) -> Problem? {
        guard let event, let code = event.code, event.time.milliseconds >= identity.issuedMilliseconds else { return nil }
        guard code != EpitopeError.Code.destinationUnknown.rawValue else { return nil }
        return Problem(code: code, message: event.message ?? "", time: event.time)
    }

    /// The text of `epitope host status`.
    package var lines: [String] {
        let rows =
            [["center", "identity", "certificate until", "packets waiting"]]
            + centers.map { center in
                guard let address = center.address else { return [center.destination, "not enrolled", "-", "\(center.packetsWaiting)"] }
                return [
                    "\(center.destination) \(address)", center.name ?? "", center.certificateUntil?.toTheSecond ?? "-",
                    "\(center.packetsWaiting)",
                ]
            }
        var lines = ["state folder \(directory)", "", Console.table(rows)]
        for center in centers {
            guard let problem = center.problem else { continue }
            let time = problem.time.map { " (\($0.toTheSecond))" } ?? ""
            lines.append("the \(center.destination) center: \(problem.message.printable) [\(problem.code.printable)]\(time)")
        }
        let counts = today.sorted(by: <).map { "\($1) \($0)" }.joined(separator: ", ")
        lines += ["", "today (UTC): \(counts.isEmpty ? "nothing" : counts)"]
        if waitingForQuota > 0 {
            lines.append("waiting for the quota: \(waitingForQuota)\(quotaFrees.map { ", next at \($0.toTheSecond)" } ?? "")")
        }
        if let linkBytesToday { lines.append("on the link today (UTC): \(linkBytesToday) bytes of packets") }
        lines += refused.map {
            "refused: \($0.packet) by the \($0.destination) center: \($0.message.printable) [\($0.code.printable)] (\($0.time.toTheSecond))"
        }
        return lines + problems.map { "\($0.message) [\($0.code)]" }
    }
}

extension HostStatusReport.Problem {
    fileprivate init(_ error: EpitopeError) {
        self.init(code: error.code.rawValue, message: error.message)
    }
}

extension Int {
    fileprivate var nonZero: Int? { self == 0 ? nil : self }
}
