// SPDX-License-Identifier: Apache-2.0

/// Lets a few paragraphs through and counts the others, which are summed up: who is attacked in a loop still sees the terminal.
public struct ParagraphLimiter: Sendable {
    /// How many paragraphs of a window are told in full.
    public static let maxParagraphs = 3
    /// The length of a window, and how long held-back paragraphs wait for their sum.
    public static let windowMilliseconds: Int64 = 10_000
    /// How many kinds of call and program a sum names.
    private static let maxNamed = 5

    private var windowStart: Int64?
    private var told = 0
    /// When the first of those was held back that are not summed up yet.
    private var heldSince: Int64?
    private var heldBack: [String: Int] = [:]
    private var unnamed = 0

    public init() {}

    /// Whether a paragraph about a detection is told now; if not, it is counted for the sum.
    public mutating func tells(_ detection: HostEvent, nowMilliseconds now: Int64) -> Bool {
        if let start = windowStart, now >= start, now - start < Self.windowMilliseconds {
            // The window goes on.
        } else {
            windowStart = now
            told = 0
        }
        if told < Self.maxParagraphs, heldBack.isEmpty, unnamed == 0 {
            told += 1
            return true
        }
        heldSince = heldSince ?? now
        let answer = detection.event == .watched || detection.action == "watched" ? "allowed" : "denied"
        let name = "\((detection.call ?? "call").printable) by \(detection.programNameInWords) \(answer)"
        if heldBack[name] != nil || heldBack.count < Self.maxNamed { heldBack[name, default: 0] += 1 } else { unnamed += 1 }
        return false
    }

    /// The sum of what was held back, once its window is over or at the end; `nil` if there is nothing to tell yet.
    public mutating func sum(nowMilliseconds now: Int64, atEnd: Bool = false) -> String? {
        guard !heldBack.isEmpty || unnamed > 0 else { return nil }
        guard atEnd || heldSince.map({ now < $0 || now - $0 >= Self.windowMilliseconds }) ?? true else { return nil }
        let total = heldBack.values.reduce(unnamed, +)
        let named = heldBack.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { "\($0.value) \($0.key)" }
        let rest = unnamed > 0 ? ["\(unnamed) others"] : []
        heldBack = [:]
        unnamed = 0
        (windowStart, heldSince) = (nil, nil)
        return "\(total) more detections: " + (named + rest).joined(separator: ", ")
    }
}
