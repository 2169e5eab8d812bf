// SPDX-License-Identifier: Apache-2.0

/// A metric with its values, as Prometheus reads it.
public struct MetricFamily: Hashable, Sendable {
    /// One value of a metric.
    public struct Sample: Hashable, Sendable {
        /// Name and value of each label, in the order in which they are written.
        public var labels: [Label]
        public var value: Double

        public init(_ value: Double, _ labels: [Label] = []) {
            self.labels = labels
            self.value = value
        }
    }

    /// What a value is of.
    public struct Label: Hashable, Sendable, Comparable {
        public var name: String
        public var value: String

        public init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }

        public static func < (one: Label, other: Label) -> Bool { (one.name, one.value) < (other.name, other.value) }
    }

    /// The types of metrics that a center has.
    public enum Kind: String, Hashable, Sendable {
        case counter
        case gauge
    }

    public var name: String
    public var kind: Kind
    public var help: String
    public var samples: [Sample]

    public init(name: String, kind: Kind, help: String, samples: [Sample]) {
        self.name = name
        self.kind = kind
        self.help = help
        self.samples = samples
    }
}

/// Metrics as text.
///
/// Source: Prometheus, "Exposition formats", text-based format 0.0.4.
public enum MetricsText {
    /// The media type of the text.
    public static let mediaType = "text/plain; version=0.0.4; charset=utf-8"

    /// The families in the order in which they are given, without those that have no value, and the values of each in that of their
    /// labels: the same values always give the same text.
    public static func render(_ families: [MetricFamily]) -> String {
        var text = ""
        for family in families where !family.samples.isEmpty {
            text += "# HELP \(family.name) \(escaped(help: family.help))\n# TYPE \(family.name) \(family.kind.rawValue)\n"
            for sample in family.samples.sorted(by: { $0.labels.lexicographicallyPrecedes($1.labels) }) {
                text += "\(family.name)\(labels(sample.labels)) \(number(sample.value))\n"
            }
        }
        return text
    }

    private static func labels(_ labels: [MetricFamily.Label]) -> String {
        guard !labels.isEmpty else { return "" }
        return "{" + labels.map { "\($0.name)=\"\(escaped(label: $0.value))\"" }.joined(separator: ",") + "}"
    }

    private static func escaped(help: String) -> String { escape(help, ["\\": "\\\\", "\n": "\\n"]) }

    private static func escaped(label: String) -> String { escape(label, ["\\": "\\\\", "\n": "\\n", "\"": "\\\""]) }

    /// By scalars: two of them, as CR and LF, may be one character.
    private static func escape(_ text: String, _ replacements: [Unicode.Scalar: String]) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            if let replacement = replacements[scalar] { escaped += replacement } else { escaped.unicodeScalars.append(scalar) }
        }
        return escaped
    }

    private static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        return Int64(exactly: value).map(String.init) ?? "\(value)"
    }
}
