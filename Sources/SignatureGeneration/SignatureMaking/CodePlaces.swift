// SPDX-License-Identifier: Apache-2.0

import Disassembly
import EpitopeModel
public import Signatures
import Synchronization

/// Where signatures' bytes lie in samples, with the code of the newest samples remembered: to find it takes a decoding at every offset,
/// as long as a thousand other comparisons, and one sample is asked of again and again.
public final class CodePlaces: Sendable {
    /// With at most 8 KiB each: 4 MiB.
    public static let maxSamples = 512

    /// All that a sample's code is told by.
    private struct Key: Hashable {
        var code: ExtractedCode
        var caller: Int
        var architecture: Architecture
    }

    private struct Contents {
        var extents: [Key: CodeExtent] = [:]
        /// In the order in which they were added.
        var order: [Key] = []
        var count = 0
    }

    private let contents = Mutex(Contents())

    public init() {}

    /// As ``Sample/place(of:)``.
    public func place(of signature: Signature, in sample: Sample) -> Sample.Place? {
        sample.place(of: signature) { extent(of: sample, caller: $0) }
    }

    /// Of how many samples the code was looked for.
    package var count: Int { contents.withLock { $0.count } }

    private func extent(of sample: Sample, caller: Int) -> CodeExtent {
        let key = Key(code: sample.code, caller: caller, architecture: sample.architecture)
        if let known = contents.withLock({ $0.extents[key] }) { return known }
        let extent = CodeExtent(of: sample.code, caller: caller, architecture: sample.architecture)
        contents.withLock { contents in
            contents.count += 1
            guard contents.extents.updateValue(extent, forKey: key) == nil else { return }
            contents.order.append(key)
            // Half at a time: removing single ones from the front would move the rest each time.
            guard contents.order.count > Self.maxSamples else { return }
            for oldest in contents.order.prefix(Self.maxSamples / 2) { contents.extents[oldest] = nil }
            contents.order.removeFirst(Self.maxSamples / 2)
        }
        return extent
    }
}
