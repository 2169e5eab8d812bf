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
        let text = state.withLock { state -> String? in
            guard let told = state.narrator.paragraph(after: event) else { return nil }
            return state.limiter.tells(told.detection, nowMilliseconds: event.time.milliseconds) ? told.text : nil
        }
        if let text { Console.log(text) }
    }

    /// Prints sums of what was held back, until the task is cancelled.
    package func printSums() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(ParagraphLimiter.windowMilliseconds))
            printSum()
        }
    }

    /// Prints the sum of what was held back.
    package func printSum(atEnd: Bool = false) {
        let now = EventLog.now().milliseconds
        if let sum = state.withLock({ $0.limiter.sum(nowMilliseconds: now, atEnd: atEnd) }) {
            Console.log("\(sum) (epitope host events shows each)")
        }
    }
}
