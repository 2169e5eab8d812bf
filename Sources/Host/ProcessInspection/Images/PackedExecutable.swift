// SPDX-License-Identifier: Apache-2.0

import Glibc

/// An executable file that holds a program in packed form, and unpacks it as a whole into the addresses that it reserves for
/// itself (UPX, and packers of its kind).
///
/// That a file is packed is told by the file alone, so that no code in a process can make an ordinary program look like one:
/// what an ordinary file loads as code isn't compressed, what a packed one loads is little else. Measured on Debian 12: of
/// 4,096 pieces of libLLVM's code 44 are as dense as compressed data, of most files' none; of UPX's 19 in 20.
public struct PackedExecutable: Hashable, Sendable {
    /// The addresses that the file reserves, before relocation.
    public var reserved: Range<UInt64>
    /// Where execution of the file begins, before relocation.
    public var entry: UInt64
    /// Where the first of its segments of code begins, before relocation.
    public var startCode: UInt64

    /// The size of the pieces whose density is measured, and how many are looked at.
    static let pieceSize = 4096
    static let maxPieces = 256
    /// Compressed data has nearly eight bits of information in each byte, machine code some six.
    static let minBits = 7.2
    /// The least share of such pieces, and the fewest.
    static let minShare = 0.75
    static let minPieces = 4

    /// `nil` for a file that isn't packed.
    public init?(_ file: FileBytes) {
        guard let image = ElfImage(file), let reserved = image.reservedAddresses,
            // What the loader and the dynamic linker need is packed, too.
            !image.segments.contains(where: { $0.type == ElfImage.Segment.interpreter || $0.type == ElfImage.Segment.dynamic }),
            image.sectionCount == 0
        else { return nil }
        let code = image.segments.filter { $0.isLoadable && $0.isExecutable }
        guard code.contains(where: { image.entry >= $0.address && image.entry - $0.address < $0.fileSize }) else { return nil }
        let looked = Self.pieces(of: code).compactMap { file.read($0, Self.pieceSize) }
        let dense = looked.count { Self.bitsPerByte($0) >= Self.minBits }
        guard looked.count >= Self.minPieces, Double(dense) >= Self.minShare * Double(looked.count) else { return nil }
        self.reserved = reserved
        entry = image.entry
        startCode = code.map(\.address).min() ?? image.entry
    }

    /// The places in the file of the pieces that are looked at, spread evenly over its code; none where there are too few. However
    /// long the segments say that they are: nothing grows with it.
    static func pieces(of code: [ElfImage.Segment]) -> [UInt64] {
        // Of at most ElfImage.maxSegments, each below 2^52.
        let counts = code.map { $0.fileSize / UInt64(pieceSize) }
        let total = counts.reduce(0, +)
        guard total >= UInt64(minPieces) else { return [] }
        let step = (total - 1) / UInt64(maxPieces) + 1
        var places: [UInt64] = []
        // How many pieces lie between the last one and the segment's start.
        var skipped: UInt64 = 0
        for (segment, count) in zip(code, counts) {
            var number = skipped
            while number < count {
                places.append(segment.offset &+ number * UInt64(pieceSize))
                number += step
            }
            skipped = number - count
        }
        return places
    }

    /// Whether a region of a process's memory is where the file unpacks its program.
    ///
    /// - Parameter processEntry: where the kernel began to execute the file (AT_ENTRY).
    public func unpacks(into region: Range<UInt64>, processEntry: UInt64) -> Bool {
        unpacks(into: region, relocatedBy: processEntry &- entry)
    }

    /// The same by where the process's code begins (`mm_struct.start_code`).
    public func unpacks(into region: Range<UInt64>, processStartCode: UInt64) -> Bool {
        unpacks(into: region, relocatedBy: processStartCode &- startCode)
    }

    private func unpacks(into region: Range<UInt64>, relocatedBy loaded: UInt64) -> Bool {
        let (start, overflow) = reserved.lowerBound.addingReportingOverflow(loaded)
        let end = reserved.upperBound &+ loaded
        return !overflow && end > start && region.lowerBound >= start && region.upperBound <= end
    }

    /// The information in a byte, in bits: Shannon's entropy of the distribution of bytes.
    static func bitsPerByte(_ bytes: [UInt8]) -> Double {
        var counts = [Int](repeating: 0, count: 256)
        for byte in bytes { counts[Int(byte)] += 1 }
        let total = Double(bytes.count)
        return counts.reduce(0) { sum, count in
            guard count > 0 else { return sum }
            let share = Double(count) / total
            return sum - share * log2(share)
        }
    }
}
