// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

/// The parts of an event in words, for a person. Names and paths are the inspected process's to choose: what a terminal would
/// take for a command is replaced.
extension HostEvent {
    /// What was done about the call: `denied`, `allowed`. A call that was only watched is never said to be blocked.
    var answerInWords: String {
        switch action.flatMap(ProtectiveAction.init(rawValue:)) {
        case .watched: "allowed, and reported"
        case .blocked: "denied"
        case .stopped: "denied, and the process stopped"
        case .killed: "denied, and the process killed"
        case nil: event == .watched ? "allowed, and reported" : "denied"
        }
    }

    /// Such as `connect to 127.0.0.1:80`.
    var callInWords: String {
        guard let call = call?.printable else { return "a call" }
        guard let target, !target.isEmpty else { return call }
        let preposition =
            switch CriticalCall(rawValue: call)?.family {
            case .exec: "of"
            case .serve: "on"
            default: "to"
            }
        return "\(call) \(preposition) \(target.printable)"
    }

    /// Such as `/usr/bin/server`.
    var programNameInWords: String { (executable ?? processName ?? "an unknown program").printable }

    /// Such as `/usr/bin/server of server 1.2 (process 732, user www-data)`.
    var programInWords: String {
        var words = programNameInWords
        if let package { words += " of " + [package, packageVersion ?? ""].filter { !$0.isEmpty }.joined(separator: " ").printable }
        var numbers = processID.map { ["process \($0)"] } ?? []
        if let name = user ?? userID.map(String.init) { numbers.append("user \(name.printable)") }
        if let container { numbers.append("container \(container.printable.prefix(12))") }
        return numbers.isEmpty ? words : "\(words) (\(numbers.joined(separator: ", ")))"
    }

    /// The strongest evidence: kind, points, and what was seen.
    var evidenceInWords: String {
        guard let kind = evidence?.first else { return "no evidence was recorded" }
        let points = (self.points ?? EvidenceKind(rawValue: kind)?.defaultWeight).map { ", \($0) points" } ?? ""
        guard let detail, !detail.isEmpty else { return kind.printable + points }
        return "\(detail.printable) (\(kind.printable)\(points))"
    }

    /// Such as `; inspected for: mapped, inherited`.
    private var markInWords: String {
        guard let markedFor, !markedFor.isEmpty else { return "" }
        return "; inspected for: " + markedFor.map(\.printable).joined(separator: ", ")
    }

    /// What became of the code in its process, such as `its code was overwritten in the process`; `nil` where it was not to be.
    var cutInWords: String? {
        switch cut.flatMap(CodeCut.init(name:)) {
        case .done: "its code was overwritten in the process"
        case .failed(let failure): "its code could NOT be overwritten in the process: \(failure.inWords)"
        case nil: nil
        }
    }

    /// The event in one line, without its time.
    public var inWords: String {
        let name = packet.map { "packet \($0.printable)" } ?? "a packet"
        let center = "the \((destination ?? "local").printable) center"
        let why = [message ?? "", code.map { "[\($0)]" } ?? ""].filter { !$0.isEmpty }.joined(separator: " ").printable
        switch event {
        case .blocked, .watched:
            let cut = cutInWords.map { "; \($0)" } ?? ""
            return "\(answerInWords): \(callInWords) by \(programInWords): \(evidenceInWords)\(cut)\(markInWords)"
        case .packetMade: return "\(name) made of the code that called \(callInWords) in \(programInWords)"
        case .packageFound: return "\(name): its program is \(programInWords)"
        case .duplicate: return "\(name) not kept: it is the same as packet \((of ?? "before").printable)"
        case .overQuota: return "\(name): the quota of packets is used up" + (why.isEmpty ? "" : ": \(why)")
        case .givenUp:
            return packet == nil
                ? "\(count ?? 1) packets that waited for the quota were given up for heavier ones"
                : "\(name) not kept: the quota is used up, and the packets that wait for it weigh more"
        case .spoolFull: return "\(name) not kept: \(why)"
        case .reduced: return "\(name) is beyond the link's budget: \(why)"
        case .leftToCenter: return "\(name) goes with its code, and the center makes its signature: \(why)"
        case .spooled: return "\(name) waits to be sent"
        case .sent: return "\(name) is stored at \(center)"
        case .refused: return "\(name) was refused by \(center), and is kept here: \(why)"
        case .unreachable: return "\(center) was not reached, and is tried again: \(why)"
        case .stopped: return "sending to \(center) has stopped, and is tried again: \(why)"
        case .failed: return "a packet could not be made or stored: \(why)"
        case .uninspectable, .otherProcess: return why
        case .suppressed: return "\(count ?? 1) reports were not made: the same calls had been reported, or too many came at once"
        case .lost: return "\(count ?? 1) reports were lost: more came than could be stored"
        case .toldCounts: return "\(center) was told what was withheld today: \(why)"
        case .enrolled: return "this host was enrolled at \(center), until \(untilTime?.toTheSecond ?? "an unknown time")"
        case .renewed: return "the certificate for \(center) was renewed, until \(untilTime?.toTheSecond ?? "an unknown time")"
        case .renewalFailed:
            return "the certificate for \(center), valid until \(untilTime?.toTheSecond ?? "an unknown time"), could not be renewed, "
                + "and is tried again: \(why)"
        case .identityChanged: return "another identity for \(center) was read"
        case .centersChanged: return "\(center) told which addresses it has now: \(why)"
        case .authorityChanged: return "\(center) replaces its authority: \(why)"
        case .impaired: return "protection goes on without a part: \(why)"
        }
    }
}

extension String {
    /// With a question mark for each character that a terminal might act on.
    public var printable: String {
        String(String.UnicodeScalarView(unicodeScalars.map { $0.isUnprintable ? "?" : $0 }))
    }
}

extension Unicode.Scalar {
    /// Whether a terminal might act on it, or show it or what follows as something else.
    public var isUnprintable: Bool {
        switch properties.generalCategory {
        case .control, .format, .surrogate, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned: true
        default: false
        }
    }
}
