// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
package import HostPipeline
import Synchronization

/// Prints a paragraph on standard error for each detection, and sums up when there are many.
package final class DetectionPrinter: Sendable {
    private struct State {
        var narrator: DetectionNarrator
        var limiter = ParagraphLimiter()
    }

    private let state: Mutex<State>

    package init(_ place: DetectionNarrator.Place) {
        state = Mutex(State(narrator: DetectionNarrator(place)))
    }

    /// Takes each event of the log, in its order.
    package func take(_ event: HostEvent) {
        print(atMilliseconds: event.time.milliseconds) { $0.paragraphs(after: event) }
    }

    /// How often it looks for what is due.
    private static let interval = Duration.seconds(1)

    /// Prints what has waited long enough, until the task is cancelled.
    package func printDue() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: Self.interval)
            printWaiting()
        }
    }

    /// Prints paragraphs that waited for what becomes of their packets, and the sum of what was held back.
    package func printWaiting(atEnd: Bool = false) {
        let now = EventLog.now().milliseconds
        print(atMilliseconds: now) { $0.paragraphs(nowMilliseconds: now, atEnd: atEnd) }
        if let sum = state.withLock({ $0.limiter.sum(nowMilliseconds: now, atEnd: atEnd) }) {
            Console.log("\(sum) (epitope host events shows each)")
        }
    }

    private func print(atMilliseconds now: Int64, _ paragraphs: (inout DetectionNarrator) -> [DetectionNarrator.Paragraph]) {
        let texts = state.withLock { state in
            paragraphs(&state.narrator).filter { state.limiter.tells($0.detection, nowMilliseconds: now) }.map(\.text)
        }
        for text in texts { Console.log(text) }
    }
}
