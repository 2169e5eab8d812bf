// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import ProcessInspection

/// The memory files that were found to be sealed copies of images (``SealedCopy``), and how much may be read to find more.
struct SealedCopyCache {
    /// The kernel keeps as many.
    static let most = 256
    /// Bytes that are compared in a second: programs that only look like copies must not keep the agent from its work.
    static let bytesASecond = 128 << 20
    /// What a look at all processes counts for.
    private static let costOfLook = 1 << 20

    private var files: Set<KernelFile> = []
    private var order: [KernelFile] = []
    private var news: [KernelFile] = []
    private var budget = Self.bytesASecond
    private var second: UInt64 = 0

    func contains(_ file: KernelFile) -> Bool { files.contains(file) }

    /// What the kernel is to be told; also what it reported again, since it forgets what was unused for long.
    mutating func takeNews() -> [KernelFile] {
        defer { news = [] }
        return news
    }

    /// The oldest are forgotten.
    mutating func insert(_ file: KernelFile) {
        if !news.contains(file) { news.append(file) }
        guard files.insert(file).inserted else { return }
        order.append(file)
        if order.count > Self.most { files.remove(order.removeFirst()) }
    }

    /// Whether so many bytes may be compared now.
    ///
    /// - Parameter time: in nanoseconds, of a clock that goes on.
    mutating func mayCompare(_ bytes: Int, at time: UInt64) -> Bool {
        if time / 1_000_000_000 != second {
            second = time / 1_000_000_000
            budget = Self.bytesASecond
        }
        guard bytes <= budget else { return false }
        budget -= bytes
        return true
    }

    /// Looks whether a memory file is a sealed copy, as the program of a process, or, where that has gone, of any other
    /// that still runs it: the helpers of a container runtime come and go within milliseconds.
    mutating func find(_ file: KernelFile, processID: Int32, at time: UInt64) -> Bool {
        if contains(file) {
            insert(file)
            return true
        }
        if isCopy(file, processID, time) {
            insert(file)
            return true
        }
        guard mayCompare(Self.costOfLook, at: time) else { return false }
        for other in Self.others(but: processID) where isCopy(file, other, time) {
            insert(file)
            return true
        }
        return false
    }

    private mutating func isCopy(_ file: KernelFile, _ process: Int32, _ time: UInt64) -> Bool {
        let device = MapEntry.Device(major: file.device >> 20, minor: file.device & 0xFFFFF)
        return SealedCopy(programOf: process, inode: file.inode, device: device, mayCompare: { mayCompare($0, at: time) }) != nil
    }

    private static func others(but process: Int32) -> [Int32] {
        let processes = (try? FileManager.default.contentsOfDirectory(atPath: "/proc"))?.compactMap { Int32($0) } ?? []
        return processes.filter { $0 != process }
    }
}
