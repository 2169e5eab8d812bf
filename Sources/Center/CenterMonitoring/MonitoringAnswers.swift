// SPDX-License-Identifier: Apache-2.0

import CenterMetrics
import FoundationEssentials

/// An answer of the listener.
struct MonitoringAnswer: Sendable {
    var status: Int
    var mediaType: String
    var body: String
}

extension CenterMonitor {
    /// Answers a request. What needs no thread but the caller's is answered at once.
    ///
    /// - Returns: the answer; `nil`: it takes looking.
    func immediateAnswer(to method: String, _ path: String) -> MonitoringAnswer? {
        guard method == "GET" || method == "HEAD" else { return .text(405, "only GET and HEAD\n") }
        switch path {
        case "/live":
            let liveness = liveness
            return .json(liveness.isAlive ? 200 : 503, LiveAnswer(status: liveness.isAlive ? "alive" : "stuck", stuck: liveness.stuck))
        case "/ready", "/metrics": return nil
        default: return .text(404, "/metrics, /live and /ready are served here\n")
        }
    }

    func answer(to path: String) async -> MonitoringAnswer {
        guard path != "/metrics" else { return MonitoringAnswer(status: 200, mediaType: MetricsText.mediaType, body: await metrics()) }
        let readiness = await readiness()
        return .json(readiness.isReady ? 200 : 503, ReadyAnswer(readiness))
    }
}

extension MonitoringAnswer {
    static func text(_ status: Int, _ body: String) -> MonitoringAnswer {
        MonitoringAnswer(status: status, mediaType: "text/plain; charset=utf-8", body: body)
    }

    static func json(_ status: Int, _ value: some Encodable) -> MonitoringAnswer {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Texts always encode.
        let body = (try? encoder.encode(value)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
        return MonitoringAnswer(status: status, mediaType: "application/json", body: body + "\n")
    }
}

private struct LiveAnswer: Encodable {
    var status: String
    var stuck: [String]
}

/// The answer to a question for readiness.
struct ReadyAnswer: Encodable {
    struct Reason: Encodable {
        var code: String
        var part: String?
        var cause: String?
    }

    /// `ready`, `degraded` or `not-ready`.
    var status: String
    /// Why it is not ready.
    var reasons: [Reason]
    /// What fails beside that.
    var degraded: [Reason]

    init(_ readiness: Readiness) {
        func list(_ isDegraded: Bool) -> [Reason] {
            readiness.reasons.filter { $0.code.isDegraded == isDegraded }.map {
                Reason(code: $0.code.rawValue, part: $0.part, cause: $0.cause)
            }
        }
        (reasons, degraded) = (list(false), list(true))
        status = !readiness.isReady ? "not-ready" : degraded.isEmpty ? "ready" : "degraded"
    }
}
