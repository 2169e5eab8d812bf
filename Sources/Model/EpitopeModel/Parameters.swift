// SPDX-License-Identifier: Apache-2.0

/// The circumstances of a critical call: where, by what process, on what system. What can't be read is `nil` or
/// empty, never guessed.
public struct Parameters: Hashable, Sendable, Codable {
    public var call: CriticalCall
    public var arguments: CallArguments
    /// The region that the caller's address lies in.
    public var region: MemoryRegion
    public var process: ProcessParameters
    public var system: SystemParameters
    /// When the call was made, in milliseconds since 1970-01-01T00:00:00Z.
    public var timeMilliseconds: Int64

    public init(
        call: CriticalCall, arguments: CallArguments, region: MemoryRegion, process: ProcessParameters,
        system: SystemParameters, timeMilliseconds: Int64
    ) {
        self.call = call
        self.arguments = arguments
        self.region = region
        self.process = process
        self.system = system
        self.timeMilliseconds = timeMilliseconds
    }
}

/// The attacked process.
public struct ProcessParameters: Hashable, Sendable, Codable {
    public var processID: Int32
    public var threadID: Int32
    /// The name as in `/proc/PID/comm`, at most 15 bytes.
    public var name: String?
    public var executable: Executable?
    /// From the parent upwards, at most 16.
    public var parents: [Parent]
    public var userID: UInt32?
    public var userName: String?
    /// 64 hexadecimal digits, from the cgroup path, where a container runtime put them.
    public var containerID: String?
    /// `nil` outside of containers, and where nothing but the id is known.
    public var container: ContainerParameters?
    public var listening: [BoundSocket]
    public var connected: [ConnectedSocket]

    public init(
        processID: Int32, threadID: Int32, name: String? = nil, executable: Executable? = nil, parents: [Parent] = [],
        userID: UInt32? = nil, userName: String? = nil, containerID: String? = nil, container: ContainerParameters? = nil,
        listening: [BoundSocket] = [], connected: [ConnectedSocket] = []
    ) {
        self.processID = processID
        self.threadID = threadID
        self.name = name
        self.executable = executable
        self.parents = parents
        self.userID = userID
        self.userName = userName
        self.containerID = containerID
        self.container = container
        self.listening = listening
        self.connected = connected
    }

    /// An ancestor of the attacked process.
    public struct Parent: Hashable, Sendable, Codable {
        public var processID: Int32
        public var name: String?
        public var executablePath: String?

        public init(processID: Int32, name: String? = nil, executablePath: String? = nil) {
            self.processID = processID
            self.name = name
            self.executablePath = executablePath
        }
    }

    /// A socket that waits for datagrams or connections.
    public struct BoundSocket: Hashable, Sendable, Codable {
        public var transport: TransportProtocol
        public var local: SocketEndpoint

        public init(transport: TransportProtocol, local: SocketEndpoint) {
            self.transport = transport
            self.local = local
        }
    }

    /// A socket of the process with a peer.
    public struct ConnectedSocket: Hashable, Sendable, Codable {
        public var transport: TransportProtocol
        public var local: SocketEndpoint
        public var peer: SocketEndpoint
        /// Whether the connection was made to a service at this end: some process listens on its local port, or the port is
        /// below those that the machine gives to connections of its own, and the peer's is one of those. `false`: this end made
        /// the connection; `nil`: the host didn't say.
        public var wasAccepted: Bool?

        public init(transport: TransportProtocol, local: SocketEndpoint, peer: SocketEndpoint, wasAccepted: Bool? = nil) {
            self.transport = transport
            self.local = local
            self.peer = peer
            self.wasAccepted = wasAccepted
        }
    }
}

/// The program that the attacked process runs.
public struct Executable: Hashable, Sendable, Codable {
    public var path: String
    /// SHA-256 of the file, 64 lower-case hexadecimal digits.
    public var sha256: String?
    /// The package that owns the file, where dpkg or rpm knows it.
    public var package: String?
    public var packageVersion: String?

    public init(path: String, sha256: String? = nil, package: String? = nil, packageVersion: String? = nil) {
        self.path = path
        self.sha256 = sha256
        self.package = package
        self.packageVersion = packageVersion
    }
}

/// The attacked system: what the design calls operating system, service pack and patch level.
public struct SystemParameters: Hashable, Sendable, Codable {
    public var hostName: String?
    /// The host's identity as in its certificate; a center compares the two and refuses a packet where they differ.
    public var hostID: String?
    /// `uname -r`.
    public var kernelRelease: String?
    /// `ID` of os-release, such as `debian`.
    public var distribution: String?
    /// `VERSION_ID` of os-release, or the point release where the system says it: Debian's 12.11, Ubuntu's 22.04.4.
    public var distributionVersion: String?
    /// Such as `glibc 2.36` or `musl 1.2.3`.
    public var libcVersion: String?
    /// The revision of the C library's package, such as `2.36-9+deb12u13`: of the library that the process runs.
    public var libcPackageVersion: String?
    /// The revision of the package that the running kernel is of, such as `6.1.148-1`.
    public var kernelPackageVersion: String?
    /// `uname -v`: the count and time of the kernel's build.
    public var kernelBuild: String?
    /// When packages were last installed, updated or removed in the process's root, in milliseconds since 1970: when the package
    /// database was written last.
    public var lastUpdateMilliseconds: Int64?
    /// Of the first processor, such as `0xf4`.
    public var microcodeRevision: String?
    /// The kernel's boot parameters that decide how well the machine is protected, as they stand in its command line, at most 12; `nil`
    /// where it can't be read.
    public var bootParameters: [String]?

    public init(
        hostName: String? = nil, hostID: String? = nil, kernelRelease: String? = nil, distribution: String? = nil,
        distributionVersion: String? = nil, libcVersion: String? = nil, libcPackageVersion: String? = nil,
        kernelPackageVersion: String? = nil, kernelBuild: String? = nil, lastUpdateMilliseconds: Int64? = nil,
        microcodeRevision: String? = nil, bootParameters: [String]? = nil
    ) {
        self.hostName = hostName
        self.hostID = hostID
        self.kernelRelease = kernelRelease
        self.distribution = distribution
        self.distributionVersion = distributionVersion
        self.libcVersion = libcVersion
        self.libcPackageVersion = libcPackageVersion
        self.kernelPackageVersion = kernelPackageVersion
        self.kernelBuild = kernelBuild
        self.lastUpdateMilliseconds = lastUpdateMilliseconds
        self.microcodeRevision = microcodeRevision
        self.bootParameters = bootParameters
    }
}
