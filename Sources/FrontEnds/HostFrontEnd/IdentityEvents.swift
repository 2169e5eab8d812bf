// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import HostPipeline
import HostStore
import Logging
import ProcessContext
import SecureChannel
import Synchronization

/// Tells what becomes of the host's identities: to the event log, on standard error, and to the senders that wait for it.
final class IdentityEvents: Sendable {
    private let log: EventLog
    private let logger: Logger
    private let context: ProcessContextCollector
    private let pipeline = Mutex<HostPipeline?>(nil)

    init(log: EventLog, logger: Logger, context: ProcessContextCollector) {
        self.log = log
        self.logger = logger
        self.context = context
    }

    /// Whom to wake when an identity has changed.
    func setPipeline(_ pipeline: HostPipeline) {
        self.pipeline.withLock { $0 = pipeline }
    }

    func note(_ event: EnrolledClient.Event, _ destination: Destination) {
        var line = HostEvent(.renewed, time: EventLog.now())
        line.destination = destination.rawValue
        let name = "at the \(destination.rawValue) center"
        switch event {
        case .renewed(let until):
            line.untilTime = EventTime(milliseconds: until)
            logger.notice("this host's certificate \(name) was renewed; it is valid until \(ChannelClock.text(until))")
        case .renewalFailed(let error, let until):
            line.event = .renewalFailed
            line.untilTime = EventTime(milliseconds: until)
            line.fill(error)
            logger.error(
                "this host's certificate \(name), valid until \(ChannelClock.text(until)), could not be renewed; it is tried again: \(error)"
            )
        case .adopted(let identity, let until):
            line.event = .identityChanged
            line.untilTime = EventTime(milliseconds: until)
            context.setHostID(identity.name)
            logger.notice("another identity \(name) was read: \(identity.name), valid until \(ChannelClock.text(until))")
        case .moved(let centers):
            line.event = .centersChanged
            line.message = centers.description
            logger.notice("packets go to \(centers) from now on, as the \(destination.rawValue) center told")
        case .authority(let change):
            line.event = .authorityChanged
            line.message = change.inWords
            if let error = change.error { line.code = error.code.rawValue }
            logger.log(
                level: change.error == nil ? .notice : .warning,
                "the \(destination.rawValue) center replaces its authority: \(change.inWords)")
        case .unusable(let error):
            line.event = .impaired
            line.fill(error)
            logger.error("this host's identity \(name) can't be used; calls are answered all the same: \(error)")
        case .refused(let error):
            line.event = .stopped
            line.fill(error)
            logger.error("the \(destination.rawValue) center turns this host away: \(error)")
        }
        log.append(line)
        switch event {
        case .renewed, .adopted, .moved, .authority: pipeline.withLock(\.self)?.identityChanged(at: destination)
        case .renewalFailed, .unusable, .refused: break
        }
    }
}

extension HostEvent {
    fileprivate mutating func fill(_ error: EpitopeError) {
        code = error.code.rawValue
        message = error.message
    }
}
