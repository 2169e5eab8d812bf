// SPDX-License-Identifier: Apache-2.0

/// A detection on its way to the consumer, who acknowledges it once it is stored or given up. A backend that can keeps a report
/// until then, so that it is made again when the process is killed before.
public struct DetectionReport: Sendable {
    public let detection: Detection
    private let onAcknowledge: @Sendable () -> Void

    /// - Parameter onAcknowledge: called by ``acknowledge()``; by default there is nothing to do.
    public init(_ detection: Detection, onAcknowledge: @escaping @Sendable () -> Void = {}) {
        self.detection = detection
        self.onAcknowledge = onAcknowledge
    }

    /// Tells the backend that it need not keep the report any longer.
    public func acknowledge() { onAcknowledge() }
}

/// Behaviour blocking on this machine: critical calls are stalled, inspected and answered, and those worth a report are delivered
/// as a stream. Calls are answered before they are reported, whether or not the stream is read.
public protocol BehaviourBlockingBackend: Sendable {
    associatedtype Reports: AsyncSequence<DetectionReport, Never> & Sendable

    /// The calls worth a report, in the order in which they were answered. It ends when the backend ends.
    var reports: Reports { get }
}
