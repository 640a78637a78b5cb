import cn.bif.model.request.BIFBatchGasSendRequest;
import cn.bif.model.request.BIFTransactionEvaluateFeeRequest;
import cn.bif.model.request.BIFTransactionGasSendRequest;
import cn.bif.model.request.BIFTransactionGetInfoRequest;
import cn.bif.model.request.operation.BIFAccountSetMetadataOperation;
import cn.bif.model.request.operation.BIFBaseOperation;
import cn.bif.model.request.operation.BIFGasSendOperation;
import cn.bif.model.response.BIFTransactionGasSendResponse;
import cn.bif.module.blockchain.BIFTransactionService;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Transfers, alone and in batches, and what they cost. */
final class Transactions {
    private static final String UNKNOWN_HASH = "0".repeat(64);

    private static final int SYSTEM_ERROR = 20000;

    private Transactions() {}

    static void run(Session session) throws Exception {
        send(session);
        refusals(session);
        batches(session);
        fees(session);
        lookups(session);
    }

    private static void send(Session session) throws Exception {
        BIFTransactionGasSendRequest request = transfer(session, session.sender);
        request.setRemarks("转账");
        session.balance("send:before", session.sender.address);
        long block = submit(session, "send", request);
        session.balance("send:after", session.sender.address);
        session.balance("send:destination", session.second.address);
        Blocks.info(session, "send:block", block, true);
        Blocks.transactions(session, "send:block-transactions", block);
        submit(session, "send-sm2", transfer(session, session.sm2));
        request = transfer(session, session.sender);
        request.setCeilLedgerSeq(10L);
        request.setFeeLimit(500_000L);
        request.setGasPrice(1L);
        submit(session, "send-ceil", request);
        request = transfer(session, session.sender);
        request.setAmount(0L);
        submit(session, "send-nothing", request);
    }

    private static void refusals(Session session) throws Exception {
        BIFTransactionGasSendRequest request = transfer(session, session.sender);
        request.setAmount(Long.MAX_VALUE);
        submit(session, "send-too-much", request);
        request = transfer(session, session.sender);
        request.setFeeLimit(1L);
        submit(session, "send-low-fee", request);
        request = transfer(session, session.third);
        submit(session, "send-from-nobody", request);
        request = transfer(session, session.sender);
        request.setPrivateKey(session.third.privateKey);
        submit(session, "send-wrong-key", request);
        request = transfer(session, session.sender);
        request.setDestAddress(session.sender.address);
        submit(session, "send-self", request);
        request = transfer(session, session.sender);
        request.setAmount(-1L);
        submit(session, "send-negative", request);
        request = transfer(session, session.sender);
        request.setDomainId(99);
        submit(session, "send-unknown-domain", request);
    }

    private static void batches(Session session) throws Exception {
        batch(session, "batch", 3, 5L);
        batch(session, "batch-full", 100, 1L);
        batch(session, "batch-over", 101, 1L);
        batch(session, "batch-atomic", 2, Long.MAX_VALUE / 2);
    }

    private static void batch(Session session, String step, int count, long amount)
            throws Exception {
        List<BIFGasSendOperation> operations = new ArrayList<>();
        for (int index = 0; index < count; index++) {
            operations.add(payment(session.second.address, amount));
        }
        BIFBatchGasSendRequest request = new BIFBatchGasSendRequest();
        request.setSenderAddress(session.sender.address);
        request.setPrivateKey(session.sender.privateKey);
        request.setDomainId(session.domain);
        request.setFeeLimit(5_000_000L);
        request.setOperations(operations);
        session.balance(step + ":before", session.second.address);
        report(session, step, session.sdk.getBIFTransactionService().batchGasSend(request));
        session.balance(step + ":after", session.second.address);
    }

    private static void fees(Session session) throws Exception {
        BIFTransactionService service = session.sdk.getBIFTransactionService();
        BIFTransactionEvaluateFeeRequest request = new BIFTransactionEvaluateFeeRequest();
        request.setSourceAddress(session.sender.address);
        request.setDomainId(session.domain);
        request.setSignatureNumber(1);
        request.setGasPrice(100L);
        request.setRemarks("转账");
        request.setOperation(payment(session.second.address, 7L));
        session.say("fee", service.evaluateFee(request));
        BIFAccountSetMetadataOperation metadata = new BIFAccountSetMetadataOperation();
        metadata.setKey("k");
        metadata.setValue("v");
        request.setOperations(
                Arrays.<BIFBaseOperation>asList(payment(session.second.address, 7L), metadata));
        session.say("fee-batch", service.batchEvaluateFee(request));
        request.setSourceAddress(session.third.address);
        session.say("fee-from-nobody", service.evaluateFee(request));
    }

    private static void lookups(Session session) throws Exception {
        session.say("transaction-missing", session.info(UNKNOWN_HASH));
        session.say("transaction-bad-hash", session.info("00"));
        BIFTransactionGetInfoRequest request = new BIFTransactionGetInfoRequest();
        request.setHash(UNKNOWN_HASH);
        request.setDomainId(99);
        session.say(
                "transaction-unknown-domain",
                session.sdk.getBIFTransactionService().getTransactionInfo(request));
    }

    static BIFGasSendOperation payment(String destination, long amount) {
        BIFGasSendOperation operation = new BIFGasSendOperation();
        operation.setDestAddress(destination);
        operation.setAmount(amount);
        return operation;
    }

    private static BIFTransactionGasSendRequest transfer(Session session, Session.Account from) {
        BIFTransactionGasSendRequest request = new BIFTransactionGasSendRequest();
        request.setSenderAddress(from.address);
        request.setPrivateKey(from.privateKey);
        request.setDestAddress(session.second.address);
        request.setAmount(7L);
        request.setDomainId(session.domain);
        return request;
    }

    private static long submit(Session session, String step, BIFTransactionGasSendRequest request)
            throws Exception {
        BIFTransactionService service = session.sdk.getBIFTransactionService();
        BIFTransactionGasSendResponse answer = service.gasSend(request);
        for (int tries = 1; answer.getErrorCode() == SYSTEM_ERROR && tries < Keys.TRIES; tries++) {
            answer = service.gasSend(request); // SM2: see Keys.sign
        }
        return report(session, step, answer);
    }

    /** Writes an answer, and once the transaction is in a block, gives its number. */
    private static long report(Session session, String step, BIFTransactionGasSendResponse answer)
            throws Exception {
        session.say(step, answer);
        if (answer.getErrorCode() != 0) {
            return 0;
        }
        String hash = answer.getResult().getHash();
        session.confirm(step, hash);
        return session.info(hash).getResult().getTransactions()[0].getLedgerSeq();
    }
}
