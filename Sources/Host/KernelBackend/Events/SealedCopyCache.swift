// SPDX-License-Identifier: Apache-2.0

import CKernelProgram
import EpitopeModel
import Foundation
import ProcessInspection

/// Memory files that were found to be sealed copies of images (``SealedCopy``), and the budget of comparisons that find them.
struct SealedCopyCache {
    /// As many as the kernel program keeps.
    static let maxFiles = Int(EPITOPE_MAX_COPIES)
    /// Bytes that are compared in a second: programs that only look like copies must not keep the agent busy.
    static let maxBytesPerSecond = 128 << 20
    /// Bytes that a search through all processes counts as.
    private static let searchCost = 1 << 20

    private var files: Set<KernelFile> = []
    private var order: [KernelFile] = []
    private var newFiles: [KernelFile] = []
    private var budget = Self.maxBytesPerSecond
    private var second: UInt64 = 0

    func contains(_ file: KernelFile) -> Bool { files.contains(file) }

    /// Files for the kernel program; including those that it reported again, since it drops the least recently used.
    mutating func takeNew() -> [KernelFile] {
        defer { newFiles = [] }
        return newFiles
    }

    /// Adds a file, and drops the oldest if there are too many.
    mutating func insert(_ file: KernelFile) {
        if !newFiles.contains(file) { newFiles.append(file) }
        guard files.insert(file).inserted else { return }
        order.append(file)
        if order.count > Self.maxFiles { files.remove(order.removeFirst()) }
    }

    /// Takes bytes from the budget. Whether it had that many.
    ///
    /// - Parameter time: in nanoseconds, of a monotonic clock.
    mutating func mayCompare(_ bytes: Int, at time: UInt64) -> Bool {
        if time / 1_000_000_000 != second {
            second = time / 1_000_000_000
            budget = Self.maxBytesPerSecond
        }
        guard bytes <= budget else { return false }
        budget -= bytes
        return true
    }

    /// Whether a memory file is a sealed copy, as the program of a process or, if that has ended, of any other process that still
    /// runs it: the helpers of a container runtime live for milliseconds.
    mutating func find(_ file: KernelFile, processID: Int32, at time: UInt64) -> Bool {
        if contains(file) {
            insert(file)
            return true
        }
        if isCopy(file, processID, time) {
            insert(file)
            return true
        }
        guard mayCompare(Self.searchCost, at: time) else { return false }
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
