// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import EpitopeModel
import HostPolicy
import SeccompBackend

/// How the policy judges a process, as rows of a table.
struct PolicyReport {
    let policy: Policy
    /// The exclusions that apply to the process now.
    let exclusions: [Exclusion]

    func rows(of process: ProcessParameters) -> [[String]] {
        var rows = [["process", "\(process.processID) \(process.name ?? "")"]]
        if let executable = process.executable {
            let package = executable.package.map { " of \($0) \(executable.packageVersion ?? "")" } ?? ""
            rows.append(["executable", executable.path + package])
            if let hash = executable.sha256 { rows.append(["sha256", hash]) }
        }
        if let user = process.userID { rows.append(["user", process.userName.map { "\($0) (\(user))" } ?? "\(user)"]) }
        if let container = process.containerID { rows.append(["container", container]) }
        return rows.map { [$0[0].padding(13), $0[1]] }
    }

    func row(_ finding: LiveInspection.Finding) -> [String] {
        let region = finding.region
        let place = "  \(String(region.start, radix: 16))-\(String(region.end, radix: 16))"
        let memory =
            switch region.backing {
            case .anonymous: "anonymous"
            case .stack: "stack"
            case .heap: "heap"
            case .memoryFile(let name): "memory file \(name)"
            case .writtenImagePage(let path): "\(finding.writtenPages) written pages of \(path)"
            case .writtenFile(let path): "\(path), which can be changed while it runs"
            case .image(let path): path
            case .kernel: "the kernel's page"
            }
        return [place, region.protection.description, "\((region.end - region.start) >> 10) KiB", memory]
    }

    /// What is done about each kind of evidence, in calls of an application; `nil`: in those of all of which nothing else is said.
    func verdicts(for application: BlockingApplication? = nil) -> [[String]] {
        let action = policy.action(for: application)
        return [["evidence", "points", "a call with it", "because"]]
            + EvidenceKind.allCases.map { kind in
                let points = policy.weight(of: kind, for: application)
                if let exclusion = exclusions.first(where: { $0.evidence == kind }) {
                    return [
                        kind.rawValue, "\(points)", "is allowed",
                        "\(exclusion.subject) is excluded \(exclusion.term): \(exclusion.reason)",
                    ]
                }
                if points >= policy.blockAt {
                    return [kind.rawValue, "\(points)", Self.consequence(of: action), "blockAt is \(policy.blockAt)"]
                }
                if points >= policy.reportAt {
                    return [kind.rawValue, "\(points)", "is allowed, and reported", "reportAt is \(policy.reportAt)"]
                }
                return [kind.rawValue, "\(points)", "is allowed", "reportAt is \(policy.reportAt)"]
            }
    }

    /// What happens instead of a denial where the agent can't deny calls; `nil` if it can, or the policy denies nothing.
    ///
    /// - Parameter canDeny: whether this kernel lets `epitope agent` deny calls.
    func caveat(canDeny: Bool) -> String? {
        guard policy.applicationsOn.contains(where: { policy.action(for: $0) == .block }), !canDeny else { return nil }
        return """
            Denied by epitope run, and in containers whose runtime hands over calls. On this kernel epitope agent alone denies nothing:
            such a call is allowed and reported; with --without-hooks kill its process is killed. Why: epitope agent --check
            """
    }

    /// The applications of which something else is said, each with what is done about its calls.
    func applications() -> [(name: String, verdicts: [[String]]?)] {
        BlockingApplication.allCases.compactMap { application in
            guard policy.applications[application] != nil else { return nil }
            return (application.rawValue, policy.isOn(application) ? verdicts(for: application) : nil)
        }
    }

    func row(_ waiting: LiveInspection.WaitingCall) -> [String] {
        let place = "  thread \(waiting.threadID)"
        guard let observation = waiting.observation else { return [place, waiting.call.rawValue, "is allowed: no evidence"] }
        let verdict = policy.judge(observation, excluding: Set(exclusions.compactMap(\.evidence)))
        let why = (verdict.evidence + verdict.excluded).map(\.detail).joined(separator: "; ")
        let what =
            !policy.isOn(observation.application)
            ? "is allowed, since \(observation.application?.rawValue ?? "it") is off"
            : verdict.denies
                ? Self.consequence(of: policy.action(for: observation.application))
                : verdict.isReported ? "is allowed, and reported" : "is allowed"
        return [place, waiting.call.rawValue, why.isEmpty ? "\(what): no evidence" : "\(what): \(why)"]
    }

    private static func consequence(of action: Policy.Action) -> String {
        switch action {
        case .block: "is denied"
        case .stop: "is denied, and the process stopped"
        case .kill: "is denied, and the process killed"
        case .watch: "is allowed, and reported"
        }
    }
}

extension String {
    fileprivate func padding(_ width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
