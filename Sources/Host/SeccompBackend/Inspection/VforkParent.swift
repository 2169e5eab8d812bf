// SPDX-License-Identifier: Apache-2.0

import CSeccomp
import FileAccess
import Glibc

/// The parent's thread that waits in vfork or clone for a child that shares its memory.
enum VforkParent {
    /// clone, vfork and clone3 of x86-64, then clone and vfork of i386. A thread that is blocked in one of them waits for
    /// such a child; none of these numbers blocks in the other interface.
    private static let numbers: Set<Int64> = [56, 58, 435, 120, 190]
    /// How many threads of a parent are examined.
    private static let maxThreads = 4096
    /// How often, and how long apart, the parent's threads are examined: the child may run before its parent sleeps.
    private static let maxAttempts = 50
    private static let retryMicroseconds: useconds_t = 100

    /// The registers of the thread that waits for a child; `nil` when the child has memory of its own.
    static func registers(ofParentOf child: pid_t) -> epitope_registers? {
        guard let parent = ProcFS.status(of: child, "PPid"), parent > 0, parent != getpid(),
            epitope_shares_memory(child, parent)
        else { return nil }
        for attempt in 0..<maxAttempts {
            if attempt > 0 { usleep(retryMicroseconds) }
            for thread in threads(of: parent) {
                var registers = epitope_registers()
                if epitope_read_registers(thread, &registers) == 0, numbers.contains(registers.number) {
                    return registers
                }
            }
        }
        return nil
    }

    private static func threads(of process: pid_t) -> [pid_t] {
        guard let folder = opendir("/proc/\(process)/task") else { return [] }
        defer { closedir(folder) }
        var threads: [pid_t] = []
        while threads.count < maxThreads, let entry = readdir(folder) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            if let thread = pid_t(name) { threads.append(thread) }
        }
        return threads
    }
}
