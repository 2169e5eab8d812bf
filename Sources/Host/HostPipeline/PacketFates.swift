// SPDX-License-Identifier: Apache-2.0

/// What has become of packets on their way to one center, by the events of the log.
struct CenterReach: Hashable, Sendable {
    /// Of this packet, or of the center in general.
    enum Fate: Hashable, Sendable {
        case sent
        /// With the reason and its code.
        case refused(String)
        /// The center could not be reached, or something else than it answered.
        case away(code: String)
        case turnsAway(code: String)
        case notEnrolled

        /// Whether it is one packet's alone: it doesn't wait any more.
        var isOfOne: Bool {
            switch self {
            case .sent, .refused: true
            case .away, .turnsAway, .notEnrolled: false
            }
        }
    }

    /// The center's address; `nil` where it isn't known.
    var address: String?
    /// Why nothing gets there now; `nil` where that isn't known, or it does.
    var obstacle: Fate?

    init(address: String?) {
        self.address = address
        obstacle = address == nil ? .notEnrolled : nil
    }

    /// Takes an event of this center.
    ///
    /// - Returns: the fate of the packets that are on their way to it: of one, or of all where the event names none.
    mutating func take(_ event: HostEvent) -> Fate? {
        let code = (event.code ?? "").printable
        switch event.event {
        case .sent:
            obstacle = nil
            return .sent
        case .refused:
            obstacle = nil
            return .refused("\((event.message ?? "").printable) [\(code)]")
        case .unreachable: obstacle = .away(code: code)
        case .stopped:
            // That it is not enrolled is said in other words.
            obstacle = obstacle == .notEnrolled ? .notEnrolled : .turnsAway(code: code)
        case .enrolled, .identityChanged, .renewed, .centersChanged:
            // From now on it may get there.
            obstacle = nil
            return nil
        default: return nil
        }
        return obstacle
    }
}

extension CenterReach.Fate {
    /// What is said of a packet, after its name.
    ///
    /// - Parameters:
    ///   - center: such as "the local center https://center.example:7443".
    ///   - directory: the folder in which packets wait.
    func words(_ center: String, directory: String) -> String {
        switch self {
        case .sent: "was sent to \(center)"
        case .refused(let reason): "was refused by \(center): \(reason)"
        case .away(let code): "waits in \(directory): \(center) can't be reached now [\(code)]"
        case .turnsAway(let code): "waits in \(directory): \(center) turns this host away [\(code)]"
        case .notEnrolled: "waits in \(directory): this host is not enrolled at \(center) (epitope enroll)"
        }
    }
}
