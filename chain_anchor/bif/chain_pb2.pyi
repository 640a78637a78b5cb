from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class KeyPair(_message.Message):
    __slots__ = ("key", "value", "version")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    key: str
    value: str
    version: int
    def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class Signature(_message.Message):
    __slots__ = ("public_key", "sign_data")
    PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    SIGN_DATA_FIELD_NUMBER: _ClassVar[int]
    public_key: str
    sign_data: bytes
    def __init__(self, public_key: _Optional[str] = ..., sign_data: _Optional[bytes] = ...) -> None: ...

class Signer(_message.Message):
    __slots__ = ("address", "weight")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    address: str
    weight: int
    def __init__(self, address: _Optional[str] = ..., weight: _Optional[int] = ...) -> None: ...

class Contract(_message.Message):
    __slots__ = ("type", "payload", "version")
    class ContractType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        JAVASCRIPT: _ClassVar[Contract.ContractType]
        EVM: _ClassVar[Contract.ContractType]
        SYSTEM: _ClassVar[Contract.ContractType]
        WASM: _ClassVar[Contract.ContractType]
    JAVASCRIPT: Contract.ContractType
    EVM: Contract.ContractType
    SYSTEM: Contract.ContractType
    WASM: Contract.ContractType
    TYPE_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    type: Contract.ContractType
    payload: str
    version: int
    def __init__(self, type: _Optional[_Union[Contract.ContractType, str]] = ..., payload: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class ControlledArea(_message.Message):
    __slots__ = ("trusted", "status", "attributes")
    class TrustFlag(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        UNCERT: _ClassVar[ControlledArea.TrustFlag]
        TRUSTED: _ClassVar[ControlledArea.TrustFlag]
        UNTRUSTED: _ClassVar[ControlledArea.TrustFlag]
    UNCERT: ControlledArea.TrustFlag
    TRUSTED: ControlledArea.TrustFlag
    UNTRUSTED: ControlledArea.TrustFlag
    class StatusFlag(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        ENABLED: _ClassVar[ControlledArea.StatusFlag]
        DISABLED: _ClassVar[ControlledArea.StatusFlag]
    ENABLED: ControlledArea.StatusFlag
    DISABLED: ControlledArea.StatusFlag
    TRUSTED_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    trusted: ControlledArea.TrustFlag
    status: ControlledArea.StatusFlag
    attributes: _containers.RepeatedCompositeFieldContainer[KeyPair]
    def __init__(self, trusted: _Optional[_Union[ControlledArea.TrustFlag, str]] = ..., status: _Optional[_Union[ControlledArea.StatusFlag, str]] = ..., attributes: _Optional[_Iterable[_Union[KeyPair, _Mapping]]] = ...) -> None: ...

class OperationTypeThreshold(_message.Message):
    __slots__ = ("type", "threshold")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    type: Operation.Type
    threshold: int
    def __init__(self, type: _Optional[_Union[Operation.Type, str]] = ..., threshold: _Optional[int] = ...) -> None: ...

class AccountThreshold(_message.Message):
    __slots__ = ("tx_threshold", "type_thresholds")
    TX_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    TYPE_THRESHOLDS_FIELD_NUMBER: _ClassVar[int]
    tx_threshold: int
    type_thresholds: _containers.RepeatedCompositeFieldContainer[OperationTypeThreshold]
    def __init__(self, tx_threshold: _Optional[int] = ..., type_thresholds: _Optional[_Iterable[_Union[OperationTypeThreshold, _Mapping]]] = ...) -> None: ...

class AccountPrivilege(_message.Message):
    __slots__ = ("master_weight", "signers", "thresholds")
    MASTER_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    SIGNERS_FIELD_NUMBER: _ClassVar[int]
    THRESHOLDS_FIELD_NUMBER: _ClassVar[int]
    master_weight: int
    signers: _containers.RepeatedCompositeFieldContainer[Signer]
    thresholds: AccountThreshold
    def __init__(self, master_weight: _Optional[int] = ..., signers: _Optional[_Iterable[_Union[Signer, _Mapping]]] = ..., thresholds: _Optional[_Union[AccountThreshold, _Mapping]] = ...) -> None: ...

class Account(_message.Message):
    __slots__ = ("address", "nonce", "priv", "metadatas_hash", "assets_hash", "contract", "balance", "controlled_area", "public_key", "auth_transfer")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    PRIV_FIELD_NUMBER: _ClassVar[int]
    METADATAS_HASH_FIELD_NUMBER: _ClassVar[int]
    ASSETS_HASH_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_FIELD_NUMBER: _ClassVar[int]
    BALANCE_FIELD_NUMBER: _ClassVar[int]
    CONTROLLED_AREA_FIELD_NUMBER: _ClassVar[int]
    PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    AUTH_TRANSFER_FIELD_NUMBER: _ClassVar[int]
    address: str
    nonce: int
    priv: AccountPrivilege
    metadatas_hash: bytes
    assets_hash: bytes
    contract: Contract
    balance: int
    controlled_area: ControlledArea
    public_key: str
    auth_transfer: bool
    def __init__(self, address: _Optional[str] = ..., nonce: _Optional[int] = ..., priv: _Optional[_Union[AccountPrivilege, _Mapping]] = ..., metadatas_hash: _Optional[bytes] = ..., assets_hash: _Optional[bytes] = ..., contract: _Optional[_Union[Contract, _Mapping]] = ..., balance: _Optional[int] = ..., controlled_area: _Optional[_Union[ControlledArea, _Mapping]] = ..., public_key: _Optional[str] = ..., auth_transfer: bool = ...) -> None: ...

class OperationCreateAccount(_message.Message):
    __slots__ = ("dest_address", "contract", "priv", "metadatas", "init_balance", "init_input", "dest_public_key", "raw_dest_address")
    DEST_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_FIELD_NUMBER: _ClassVar[int]
    PRIV_FIELD_NUMBER: _ClassVar[int]
    METADATAS_FIELD_NUMBER: _ClassVar[int]
    INIT_BALANCE_FIELD_NUMBER: _ClassVar[int]
    INIT_INPUT_FIELD_NUMBER: _ClassVar[int]
    DEST_PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    RAW_DEST_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    dest_address: str
    contract: Contract
    priv: AccountPrivilege
    metadatas: _containers.RepeatedCompositeFieldContainer[KeyPair]
    init_balance: int
    init_input: str
    dest_public_key: str
    raw_dest_address: bytes
    def __init__(self, dest_address: _Optional[str] = ..., contract: _Optional[_Union[Contract, _Mapping]] = ..., priv: _Optional[_Union[AccountPrivilege, _Mapping]] = ..., metadatas: _Optional[_Iterable[_Union[KeyPair, _Mapping]]] = ..., init_balance: _Optional[int] = ..., init_input: _Optional[str] = ..., dest_public_key: _Optional[str] = ..., raw_dest_address: _Optional[bytes] = ...) -> None: ...

class OperationSetMetadata(_message.Message):
    __slots__ = ("key", "value", "version", "delete_flag")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DELETE_FLAG_FIELD_NUMBER: _ClassVar[int]
    key: str
    value: str
    version: int
    delete_flag: bool
    def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ..., version: _Optional[int] = ..., delete_flag: bool = ...) -> None: ...

class OperationSetSignerWeight(_message.Message):
    __slots__ = ("master_weight", "signers")
    MASTER_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    SIGNERS_FIELD_NUMBER: _ClassVar[int]
    master_weight: int
    signers: _containers.RepeatedCompositeFieldContainer[Signer]
    def __init__(self, master_weight: _Optional[int] = ..., signers: _Optional[_Iterable[_Union[Signer, _Mapping]]] = ...) -> None: ...

class OperationSetThreshold(_message.Message):
    __slots__ = ("tx_threshold", "type_thresholds")
    TX_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    TYPE_THRESHOLDS_FIELD_NUMBER: _ClassVar[int]
    tx_threshold: int
    type_thresholds: _containers.RepeatedCompositeFieldContainer[OperationTypeThreshold]
    def __init__(self, tx_threshold: _Optional[int] = ..., type_thresholds: _Optional[_Iterable[_Union[OperationTypeThreshold, _Mapping]]] = ...) -> None: ...

class OperationPayCoin(_message.Message):
    __slots__ = ("dest_address", "amount", "input", "raw_dest_address")
    DEST_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    RAW_DEST_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    dest_address: str
    amount: int
    input: str
    raw_dest_address: bytes
    def __init__(self, dest_address: _Optional[str] = ..., amount: _Optional[int] = ..., input: _Optional[str] = ..., raw_dest_address: _Optional[bytes] = ...) -> None: ...

class OperationLog(_message.Message):
    __slots__ = ("topic", "datas", "topics")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    DATAS_FIELD_NUMBER: _ClassVar[int]
    TOPICS_FIELD_NUMBER: _ClassVar[int]
    topic: str
    datas: _containers.RepeatedScalarFieldContainer[str]
    topics: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, topic: _Optional[str] = ..., datas: _Optional[_Iterable[str]] = ..., topics: _Optional[_Iterable[str]] = ...) -> None: ...

class OperationSetPrivilege(_message.Message):
    __slots__ = ("master_weight", "signers", "tx_threshold", "type_thresholds")
    MASTER_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    SIGNERS_FIELD_NUMBER: _ClassVar[int]
    TX_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    TYPE_THRESHOLDS_FIELD_NUMBER: _ClassVar[int]
    master_weight: str
    signers: _containers.RepeatedCompositeFieldContainer[Signer]
    tx_threshold: str
    type_thresholds: _containers.RepeatedCompositeFieldContainer[OperationTypeThreshold]
    def __init__(self, master_weight: _Optional[str] = ..., signers: _Optional[_Iterable[_Union[Signer, _Mapping]]] = ..., tx_threshold: _Optional[str] = ..., type_thresholds: _Optional[_Iterable[_Union[OperationTypeThreshold, _Mapping]]] = ...) -> None: ...

class OperationUpgradeContract(_message.Message):
    __slots__ = ("dest_address", "payload", "type")
    DEST_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    dest_address: str
    payload: str
    type: int
    def __init__(self, dest_address: _Optional[str] = ..., payload: _Optional[str] = ..., type: _Optional[int] = ...) -> None: ...

class OperationSetControlledArea(_message.Message):
    __slots__ = ("dest_address", "s_trusted", "s_status", "trusted", "status", "attributes")
    DEST_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    S_TRUSTED_FIELD_NUMBER: _ClassVar[int]
    S_STATUS_FIELD_NUMBER: _ClassVar[int]
    TRUSTED_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    dest_address: str
    s_trusted: bool
    s_status: bool
    trusted: ControlledArea.TrustFlag
    status: ControlledArea.StatusFlag
    attributes: _containers.RepeatedCompositeFieldContainer[KeyPair]
    def __init__(self, dest_address: _Optional[str] = ..., s_trusted: bool = ..., s_status: bool = ..., trusted: _Optional[_Union[ControlledArea.TrustFlag, str]] = ..., status: _Optional[_Union[ControlledArea.StatusFlag, str]] = ..., attributes: _Optional[_Iterable[_Union[KeyPair, _Mapping]]] = ...) -> None: ...

class OperationAuthorizeTransfer(_message.Message):
    __slots__ = ("dest_address", "auth")
    DEST_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    AUTH_FIELD_NUMBER: _ClassVar[int]
    dest_address: str
    auth: bool
    def __init__(self, dest_address: _Optional[str] = ..., auth: bool = ...) -> None: ...

class Operation(_message.Message):
    __slots__ = ("type", "source_address", "metadata", "create_account", "set_metadata", "set_signer_weight", "set_threshold", "pay_coin", "log", "set_privilege", "upgrade_contract", "set_controlled_area", "authorize_transfer", "raw_source_address")
    class Type(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        UNKNOWN: _ClassVar[Operation.Type]
        CREATE_ACCOUNT: _ClassVar[Operation.Type]
        SET_METADATA: _ClassVar[Operation.Type]
        SET_SIGNER_WEIGHT: _ClassVar[Operation.Type]
        SET_THRESHOLD: _ClassVar[Operation.Type]
        PAY_COIN: _ClassVar[Operation.Type]
        LOG: _ClassVar[Operation.Type]
        SET_PRIVILEGE: _ClassVar[Operation.Type]
        UPGRADE_CONTRACT: _ClassVar[Operation.Type]
        SET_CONTROLLED_AREA: _ClassVar[Operation.Type]
        AUTHORIZE_TRANSFER: _ClassVar[Operation.Type]
        DESTROYED: _ClassVar[Operation.Type]
        CASH: _ClassVar[Operation.Type]
    UNKNOWN: Operation.Type
    CREATE_ACCOUNT: Operation.Type
    SET_METADATA: Operation.Type
    SET_SIGNER_WEIGHT: Operation.Type
    SET_THRESHOLD: Operation.Type
    PAY_COIN: Operation.Type
    LOG: Operation.Type
    SET_PRIVILEGE: Operation.Type
    UPGRADE_CONTRACT: Operation.Type
    SET_CONTROLLED_AREA: Operation.Type
    AUTHORIZE_TRANSFER: Operation.Type
    DESTROYED: Operation.Type
    CASH: Operation.Type
    TYPE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    CREATE_ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    SET_METADATA_FIELD_NUMBER: _ClassVar[int]
    SET_SIGNER_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    SET_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    PAY_COIN_FIELD_NUMBER: _ClassVar[int]
    LOG_FIELD_NUMBER: _ClassVar[int]
    SET_PRIVILEGE_FIELD_NUMBER: _ClassVar[int]
    UPGRADE_CONTRACT_FIELD_NUMBER: _ClassVar[int]
    SET_CONTROLLED_AREA_FIELD_NUMBER: _ClassVar[int]
    AUTHORIZE_TRANSFER_FIELD_NUMBER: _ClassVar[int]
    RAW_SOURCE_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    type: Operation.Type
    source_address: str
    metadata: bytes
    create_account: OperationCreateAccount
    set_metadata: OperationSetMetadata
    set_signer_weight: OperationSetSignerWeight
    set_threshold: OperationSetThreshold
    pay_coin: OperationPayCoin
    log: OperationLog
    set_privilege: OperationSetPrivilege
    upgrade_contract: OperationUpgradeContract
    set_controlled_area: OperationSetControlledArea
    authorize_transfer: OperationAuthorizeTransfer
    raw_source_address: bytes
    def __init__(self, type: _Optional[_Union[Operation.Type, str]] = ..., source_address: _Optional[str] = ..., metadata: _Optional[bytes] = ..., create_account: _Optional[_Union[OperationCreateAccount, _Mapping]] = ..., set_metadata: _Optional[_Union[OperationSetMetadata, _Mapping]] = ..., set_signer_weight: _Optional[_Union[OperationSetSignerWeight, _Mapping]] = ..., set_threshold: _Optional[_Union[OperationSetThreshold, _Mapping]] = ..., pay_coin: _Optional[_Union[OperationPayCoin, _Mapping]] = ..., log: _Optional[_Union[OperationLog, _Mapping]] = ..., set_privilege: _Optional[_Union[OperationSetPrivilege, _Mapping]] = ..., upgrade_contract: _Optional[_Union[OperationUpgradeContract, _Mapping]] = ..., set_controlled_area: _Optional[_Union[OperationSetControlledArea, _Mapping]] = ..., authorize_transfer: _Optional[_Union[OperationAuthorizeTransfer, _Mapping]] = ..., raw_source_address: _Optional[bytes] = ...) -> None: ...

class Transaction(_message.Message):
    __slots__ = ("source_address", "nonce", "expr_condition", "operations", "metadata", "fee_limit", "gas_price", "ceil_ledger_seq", "chain_id", "address_prefix", "raw_source_address", "domain_id", "nonce_type", "max_ledger_seq")
    class NonceType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        INCREASE_NONCE: _ClassVar[Transaction.NonceType]
        RANDOM_NONCE: _ClassVar[Transaction.NonceType]
        CASH_COIN: _ClassVar[Transaction.NonceType]
    INCREASE_NONCE: Transaction.NonceType
    RANDOM_NONCE: Transaction.NonceType
    CASH_COIN: Transaction.NonceType
    SOURCE_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    EXPR_CONDITION_FIELD_NUMBER: _ClassVar[int]
    OPERATIONS_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    FEE_LIMIT_FIELD_NUMBER: _ClassVar[int]
    GAS_PRICE_FIELD_NUMBER: _ClassVar[int]
    CEIL_LEDGER_SEQ_FIELD_NUMBER: _ClassVar[int]
    CHAIN_ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_PREFIX_FIELD_NUMBER: _ClassVar[int]
    RAW_SOURCE_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_ID_FIELD_NUMBER: _ClassVar[int]
    NONCE_TYPE_FIELD_NUMBER: _ClassVar[int]
    MAX_LEDGER_SEQ_FIELD_NUMBER: _ClassVar[int]
    source_address: str
    nonce: int
    expr_condition: str
    operations: _containers.RepeatedCompositeFieldContainer[Operation]
    metadata: bytes
    fee_limit: int
    gas_price: int
    ceil_ledger_seq: int
    chain_id: int
    address_prefix: str
    raw_source_address: bytes
    domain_id: int
    nonce_type: Transaction.NonceType
    max_ledger_seq: int
    def __init__(self, source_address: _Optional[str] = ..., nonce: _Optional[int] = ..., expr_condition: _Optional[str] = ..., operations: _Optional[_Iterable[_Union[Operation, _Mapping]]] = ..., metadata: _Optional[bytes] = ..., fee_limit: _Optional[int] = ..., gas_price: _Optional[int] = ..., ceil_ledger_seq: _Optional[int] = ..., chain_id: _Optional[int] = ..., address_prefix: _Optional[str] = ..., raw_source_address: _Optional[bytes] = ..., domain_id: _Optional[int] = ..., nonce_type: _Optional[_Union[Transaction.NonceType, str]] = ..., max_ledger_seq: _Optional[int] = ...) -> None: ...

class Trigger(_message.Message):
    __slots__ = ("transaction_type", "ledger_seq", "transaction")
    class TransactionType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        NORMAL_TRANSACTION: _ClassVar[Trigger.TransactionType]
        CONTRACT_TRANSACTION: _ClassVar[Trigger.TransactionType]
    NORMAL_TRANSACTION: Trigger.TransactionType
    CONTRACT_TRANSACTION: Trigger.TransactionType
    class OperationTrigger(_message.Message):
        __slots__ = ("hash", "index")
        HASH_FIELD_NUMBER: _ClassVar[int]
        INDEX_FIELD_NUMBER: _ClassVar[int]
        hash: bytes
        index: int
        def __init__(self, hash: _Optional[bytes] = ..., index: _Optional[int] = ...) -> None: ...
    TRANSACTION_TYPE_FIELD_NUMBER: _ClassVar[int]
    LEDGER_SEQ_FIELD_NUMBER: _ClassVar[int]
    TRANSACTION_FIELD_NUMBER: _ClassVar[int]
    transaction_type: Trigger.TransactionType
    ledger_seq: int
    transaction: Trigger.OperationTrigger
    def __init__(self, transaction_type: _Optional[_Union[Trigger.TransactionType, str]] = ..., ledger_seq: _Optional[int] = ..., transaction: _Optional[_Union[Trigger.OperationTrigger, _Mapping]] = ...) -> None: ...

class TransactionEnv(_message.Message):
    __slots__ = ("transaction", "signatures", "trigger")
    TRANSACTION_FIELD_NUMBER: _ClassVar[int]
    SIGNATURES_FIELD_NUMBER: _ClassVar[int]
    TRIGGER_FIELD_NUMBER: _ClassVar[int]
    transaction: Transaction
    signatures: _containers.RepeatedCompositeFieldContainer[Signature]
    trigger: Trigger
    def __init__(self, transaction: _Optional[_Union[Transaction, _Mapping]] = ..., signatures: _Optional[_Iterable[_Union[Signature, _Mapping]]] = ..., trigger: _Optional[_Union[Trigger, _Mapping]] = ...) -> None: ...

class TransactionEnvStore(_message.Message):
    __slots__ = ("transaction_env", "error_code", "error_desc", "ledger_seq", "close_time", "hash", "actual_fee", "contract_tx_hashes")
    TRANSACTION_ENV_FIELD_NUMBER: _ClassVar[int]
    ERROR_CODE_FIELD_NUMBER: _ClassVar[int]
    ERROR_DESC_FIELD_NUMBER: _ClassVar[int]
    LEDGER_SEQ_FIELD_NUMBER: _ClassVar[int]
    CLOSE_TIME_FIELD_NUMBER: _ClassVar[int]
    HASH_FIELD_NUMBER: _ClassVar[int]
    ACTUAL_FEE_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_TX_HASHES_FIELD_NUMBER: _ClassVar[int]
    transaction_env: TransactionEnv
    error_code: int
    error_desc: str
    ledger_seq: int
    close_time: int
    hash: bytes
    actual_fee: int
    contract_tx_hashes: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, transaction_env: _Optional[_Union[TransactionEnv, _Mapping]] = ..., error_code: _Optional[int] = ..., error_desc: _Optional[str] = ..., ledger_seq: _Optional[int] = ..., close_time: _Optional[int] = ..., hash: _Optional[bytes] = ..., actual_fee: _Optional[int] = ..., contract_tx_hashes: _Optional[_Iterable[bytes]] = ...) -> None: ...

class DomainAccountHash(_message.Message):
    __slots__ = ("domain_id", "account_tree_hash")
    DOMAIN_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_TREE_HASH_FIELD_NUMBER: _ClassVar[int]
    domain_id: int
    account_tree_hash: bytes
    def __init__(self, domain_id: _Optional[int] = ..., account_tree_hash: _Optional[bytes] = ...) -> None: ...

class LedgerHeader(_message.Message):
    __slots__ = ("seq", "hash", "previous_hash", "account_tree_hash", "close_time", "consensus_value_hash", "version", "tx_count", "validators_hash", "reserve", "fees_hash", "chain_id", "domain_account_hashs")
    SEQ_FIELD_NUMBER: _ClassVar[int]
    HASH_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_HASH_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_TREE_HASH_FIELD_NUMBER: _ClassVar[int]
    CLOSE_TIME_FIELD_NUMBER: _ClassVar[int]
    CONSENSUS_VALUE_HASH_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    TX_COUNT_FIELD_NUMBER: _ClassVar[int]
    VALIDATORS_HASH_FIELD_NUMBER: _ClassVar[int]
    RESERVE_FIELD_NUMBER: _ClassVar[int]
    FEES_HASH_FIELD_NUMBER: _ClassVar[int]
    CHAIN_ID_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_ACCOUNT_HASHS_FIELD_NUMBER: _ClassVar[int]
    seq: int
    hash: bytes
    previous_hash: bytes
    account_tree_hash: bytes
    close_time: int
    consensus_value_hash: bytes
    version: int
    tx_count: int
    validators_hash: bytes
    reserve: str
    fees_hash: bytes
    chain_id: int
    domain_account_hashs: _containers.RepeatedCompositeFieldContainer[DomainAccountHash]
    def __init__(self, seq: _Optional[int] = ..., hash: _Optional[bytes] = ..., previous_hash: _Optional[bytes] = ..., account_tree_hash: _Optional[bytes] = ..., close_time: _Optional[int] = ..., consensus_value_hash: _Optional[bytes] = ..., version: _Optional[int] = ..., tx_count: _Optional[int] = ..., validators_hash: _Optional[bytes] = ..., reserve: _Optional[str] = ..., fees_hash: _Optional[bytes] = ..., chain_id: _Optional[int] = ..., domain_account_hashs: _Optional[_Iterable[_Union[DomainAccountHash, _Mapping]]] = ...) -> None: ...

class Ledger(_message.Message):
    __slots__ = ("header", "transaction_envs")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    TRANSACTION_ENVS_FIELD_NUMBER: _ClassVar[int]
    header: LedgerHeader
    transaction_envs: _containers.RepeatedCompositeFieldContainer[TransactionEnv]
    def __init__(self, header: _Optional[_Union[LedgerHeader, _Mapping]] = ..., transaction_envs: _Optional[_Iterable[_Union[TransactionEnv, _Mapping]]] = ...) -> None: ...

class TransactionEnvSet(_message.Message):
    __slots__ = ("txs",)
    TXS_FIELD_NUMBER: _ClassVar[int]
    txs: _containers.RepeatedCompositeFieldContainer[TransactionEnv]
    def __init__(self, txs: _Optional[_Iterable[_Union[TransactionEnv, _Mapping]]] = ...) -> None: ...

class LedgerUpgrade(_message.Message):
    __slots__ = ("new_ledger_version", "new_validator_list", "chain_code")
    NEW_LEDGER_VERSION_FIELD_NUMBER: _ClassVar[int]
    NEW_VALIDATOR_LIST_FIELD_NUMBER: _ClassVar[int]
    CHAIN_CODE_FIELD_NUMBER: _ClassVar[int]
    new_ledger_version: int
    new_validator_list: _containers.RepeatedScalarFieldContainer[str]
    chain_code: str
    def __init__(self, new_ledger_version: _Optional[int] = ..., new_validator_list: _Optional[_Iterable[str]] = ..., chain_code: _Optional[str] = ...) -> None: ...

class ConsensusValueValidation(_message.Message):
    __slots__ = ("expire_tx_ids", "error_tx_ids")
    EXPIRE_TX_IDS_FIELD_NUMBER: _ClassVar[int]
    ERROR_TX_IDS_FIELD_NUMBER: _ClassVar[int]
    expire_tx_ids: _containers.RepeatedScalarFieldContainer[int]
    error_tx_ids: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, expire_tx_ids: _Optional[_Iterable[int]] = ..., error_tx_ids: _Optional[_Iterable[int]] = ...) -> None: ...

class DomainTxsIndex(_message.Message):
    __slots__ = ("domainId", "domaintxshash")
    DOMAINID_FIELD_NUMBER: _ClassVar[int]
    DOMAINTXSHASH_FIELD_NUMBER: _ClassVar[int]
    domainId: int
    domaintxshash: bytes
    def __init__(self, domainId: _Optional[int] = ..., domaintxshash: _Optional[bytes] = ...) -> None: ...

class ConsensusValueHeader(_message.Message):
    __slots__ = ("close_time", "previous_proof", "ledger_seq", "previous_ledger_hash", "ledger_upgrade", "txs_index")
    CLOSE_TIME_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_PROOF_FIELD_NUMBER: _ClassVar[int]
    LEDGER_SEQ_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_LEDGER_HASH_FIELD_NUMBER: _ClassVar[int]
    LEDGER_UPGRADE_FIELD_NUMBER: _ClassVar[int]
    TXS_INDEX_FIELD_NUMBER: _ClassVar[int]
    close_time: int
    previous_proof: bytes
    ledger_seq: int
    previous_ledger_hash: bytes
    ledger_upgrade: LedgerUpgrade
    txs_index: _containers.RepeatedCompositeFieldContainer[DomainTxsIndex]
    def __init__(self, close_time: _Optional[int] = ..., previous_proof: _Optional[bytes] = ..., ledger_seq: _Optional[int] = ..., previous_ledger_hash: _Optional[bytes] = ..., ledger_upgrade: _Optional[_Union[LedgerUpgrade, _Mapping]] = ..., txs_index: _Optional[_Iterable[_Union[DomainTxsIndex, _Mapping]]] = ...) -> None: ...

class DomainTxs(_message.Message):
    __slots__ = ("domainId", "txs", "validation")
    DOMAINID_FIELD_NUMBER: _ClassVar[int]
    TXS_FIELD_NUMBER: _ClassVar[int]
    VALIDATION_FIELD_NUMBER: _ClassVar[int]
    domainId: int
    txs: bytes
    validation: ConsensusValueValidation
    def __init__(self, domainId: _Optional[int] = ..., txs: _Optional[bytes] = ..., validation: _Optional[_Union[ConsensusValueValidation, _Mapping]] = ...) -> None: ...

class ConsensusValueBody(_message.Message):
    __slots__ = ("txs_list",)
    TXS_LIST_FIELD_NUMBER: _ClassVar[int]
    txs_list: _containers.RepeatedCompositeFieldContainer[DomainTxs]
    def __init__(self, txs_list: _Optional[_Iterable[_Union[DomainTxs, _Mapping]]] = ...) -> None: ...

class DomainTxCount(_message.Message):
    __slots__ = ("domain_id", "tx_count")
    DOMAIN_ID_FIELD_NUMBER: _ClassVar[int]
    TX_COUNT_FIELD_NUMBER: _ClassVar[int]
    domain_id: int
    tx_count: int
    def __init__(self, domain_id: _Optional[int] = ..., tx_count: _Optional[int] = ...) -> None: ...

class ConsensusValue(_message.Message):
    __slots__ = ("txset", "close_time", "previous_proof", "ledger_seq", "previous_ledger_hash", "ledger_upgrade", "validation", "txs", "consensus_version", "consensus_header", "consensus_body", "domain_accounttrie_hashs", "domain_tx_count")
    TXSET_FIELD_NUMBER: _ClassVar[int]
    CLOSE_TIME_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_PROOF_FIELD_NUMBER: _ClassVar[int]
    LEDGER_SEQ_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_LEDGER_HASH_FIELD_NUMBER: _ClassVar[int]
    LEDGER_UPGRADE_FIELD_NUMBER: _ClassVar[int]
    VALIDATION_FIELD_NUMBER: _ClassVar[int]
    TXS_FIELD_NUMBER: _ClassVar[int]
    CONSENSUS_VERSION_FIELD_NUMBER: _ClassVar[int]
    CONSENSUS_HEADER_FIELD_NUMBER: _ClassVar[int]
    CONSENSUS_BODY_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_ACCOUNTTRIE_HASHS_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_TX_COUNT_FIELD_NUMBER: _ClassVar[int]
    txset: TransactionEnvSet
    close_time: int
    previous_proof: bytes
    ledger_seq: int
    previous_ledger_hash: bytes
    ledger_upgrade: LedgerUpgrade
    validation: ConsensusValueValidation
    txs: bytes
    consensus_version: int
    consensus_header: ConsensusValueHeader
    consensus_body: ConsensusValueBody
    domain_accounttrie_hashs: _containers.RepeatedCompositeFieldContainer[DomainAccountHash]
    domain_tx_count: _containers.RepeatedCompositeFieldContainer[DomainTxCount]
    def __init__(self, txset: _Optional[_Union[TransactionEnvSet, _Mapping]] = ..., close_time: _Optional[int] = ..., previous_proof: _Optional[bytes] = ..., ledger_seq: _Optional[int] = ..., previous_ledger_hash: _Optional[bytes] = ..., ledger_upgrade: _Optional[_Union[LedgerUpgrade, _Mapping]] = ..., validation: _Optional[_Union[ConsensusValueValidation, _Mapping]] = ..., txs: _Optional[bytes] = ..., consensus_version: _Optional[int] = ..., consensus_header: _Optional[_Union[ConsensusValueHeader, _Mapping]] = ..., consensus_body: _Optional[_Union[ConsensusValueBody, _Mapping]] = ..., domain_accounttrie_hashs: _Optional[_Iterable[_Union[DomainAccountHash, _Mapping]]] = ..., domain_tx_count: _Optional[_Iterable[_Union[DomainTxCount, _Mapping]]] = ...) -> None: ...

class QuorumCertificate(_message.Message):
    __slots__ = ("ledger_hash", "signatures")
    LEDGER_HASH_FIELD_NUMBER: _ClassVar[int]
    SIGNATURES_FIELD_NUMBER: _ClassVar[int]
    ledger_hash: bytes
    signatures: _containers.RepeatedCompositeFieldContainer[Signature]
    def __init__(self, ledger_hash: _Optional[bytes] = ..., signatures: _Optional[_Iterable[_Union[Signature, _Mapping]]] = ...) -> None: ...

class Validator(_message.Message):
    __slots__ = ("address", "pledge_coin_amount")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    PLEDGE_COIN_AMOUNT_FIELD_NUMBER: _ClassVar[int]
    address: str
    pledge_coin_amount: int
    def __init__(self, address: _Optional[str] = ..., pledge_coin_amount: _Optional[int] = ...) -> None: ...

class ValidatorSet(_message.Message):
    __slots__ = ("validators",)
    VALIDATORS_FIELD_NUMBER: _ClassVar[int]
    validators: _containers.RepeatedCompositeFieldContainer[Validator]
    def __init__(self, validators: _Optional[_Iterable[_Union[Validator, _Mapping]]] = ...) -> None: ...

class FeeConfig(_message.Message):
    __slots__ = ("gas_price", "base_reserve")
    GAS_PRICE_FIELD_NUMBER: _ClassVar[int]
    BASE_RESERVE_FIELD_NUMBER: _ClassVar[int]
    gas_price: int
    base_reserve: int
    def __init__(self, gas_price: _Optional[int] = ..., base_reserve: _Optional[int] = ...) -> None: ...

class Child(_message.Message):
    __slots__ = ("sublocation", "hash", "childtype")
    class ChildType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        NONE: _ClassVar[Child.ChildType]
        INNER: _ClassVar[Child.ChildType]
        LEAF: _ClassVar[Child.ChildType]
    NONE: Child.ChildType
    INNER: Child.ChildType
    LEAF: Child.ChildType
    SUBLOCATION_FIELD_NUMBER: _ClassVar[int]
    HASH_FIELD_NUMBER: _ClassVar[int]
    CHILDTYPE_FIELD_NUMBER: _ClassVar[int]
    sublocation: bytes
    hash: bytes
    childtype: Child.ChildType
    def __init__(self, sublocation: _Optional[bytes] = ..., hash: _Optional[bytes] = ..., childtype: _Optional[_Union[Child.ChildType, str]] = ...) -> None: ...

class Node(_message.Message):
    __slots__ = ("children",)
    CHILDREN_FIELD_NUMBER: _ClassVar[int]
    children: _containers.RepeatedCompositeFieldContainer[Child]
    def __init__(self, children: _Optional[_Iterable[_Union[Child, _Mapping]]] = ...) -> None: ...
